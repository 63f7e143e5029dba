"""Reading the audit rows that verbs leave (`Tx.audit`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from sallyport.store import schema
from sallyport.store.engine import Reader

_AUDIT = schema.audit.c


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing that was done. `seq` grows with time; `account_email` is None for the platform."""

    seq: int
    at: int
    event: str
    account_id: str | None
    account_email: str | None
    address: str | None
    app_id: str | None
    subject: str | None
    detail: dict[str, Any]


async def audit_of_site(
    reader: Reader, site_id: str, *, before: int | None, limit: int
) -> tuple[AuditLine, ...]:
    """What was done on a site, newest first; `before` is the `seq` to go on from."""
    statement = (
        select(schema.audit, schema.account.c.email.label("account_email"))
        .outerjoin(schema.account, schema.account.c.id == _AUDIT.account_id)
        .where(_AUDIT.site_id == site_id)
        .order_by(_AUDIT.seq.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(_AUDIT.seq < before)
    return tuple(
        AuditLine(
            row.seq,
            row.at,
            row.event,
            row.account_id,
            row.account_email,
            row.address,
            row.app_id,
            row.subject,
            json.loads(row.detail),
        )
        for row in await reader.all(statement)
    )
