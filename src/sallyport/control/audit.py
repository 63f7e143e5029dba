"""What was done on a site, for its admins."""

from __future__ import annotations

from sallyport.control.places import site_of_admin
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.store import audit
from sallyport.store.audit import AuditLine
from sallyport.store.engine import Reader

__all__ = ["MOST_LISTED", "AuditLine", "site_audit"]

MOST_LISTED = 500


async def site_audit(
    services: Services, actor: Actor, site: str, *, before: int | None = None, limit: int = 100
) -> tuple[AuditLine, ...]:
    """The newest audit rows of a site, older than the row `before`. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[AuditLine, ...]:
        found = await site_of_admin(reader, actor, site)
        return await audit.audit_of_site(
            reader, found.id, before=before, limit=min(limit, MOST_LISTED)
        )

    return await services.store.read(ask)
