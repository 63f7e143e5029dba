"""Deleting what nobody can use any more, a small batch at a time, so that no table grows for ever.

What still tells of theft stays a while after its end: a code or refresh token that comes back
within `REMEMBERED` of its end is known for what it was. What was revoked is as dead when its row is
gone as before. What people may still ask about, an answer or an integration that ended, stays as
long as the audit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, not_, or_, select

from sallyport.store import schema
from sallyport.store.accounts import SERVICE
from sallyport.store.engine import Tx
from sallyport.store.idempotency import give_back_keys
from sallyport.vocab.clock import DAY

REMEMBERED = DAY

Ended = Callable[[int, int], ColumnElement[bool]]
"""Now, and the oldest audit to keep, both in milliseconds -> which rows may go."""

_code, _refresh, _family = (
    schema.authorization_code.c,
    schema.refresh_token.c,
    schema.token_family.c,
)
_change = schema.change.c
# The next change is to have a number that none had before.
_is_not_newest = _change.seq < select(func.max(schema.change.alias().c.seq)).scalar_subquery()


def _ended_service_account() -> ColumnElement[bool]:
    """The account that a service account acted as, when nothing of it is left but its name."""
    account, grant = schema.account.c, schema.grant.c
    left = exists().where(grant.account_id == account.id)
    return and_(account.kind == SERVICE, account.active.is_(False), not_(left))


CLEANED: tuple[tuple[Table, Ended], ...] = (
    (schema.authorization_code, lambda now, _audit: _code.expires_at < now - REMEMBERED),
    (schema.refresh_token, lambda now, _audit: _refresh.expires_at < now - REMEMBERED),
    (
        schema.token_family,
        lambda now, _audit: or_(
            _family.expires_at < now - REMEMBERED, _family.revoked_at < now - REMEMBERED
        ),
    ),
    (schema.grant, lambda now, _audit: schema.grant.c.revoked_at < now - REMEMBERED),
    (
        schema.integration_secret,
        lambda now, _audit: schema.integration_secret.c.revoked_at < now - REMEMBERED,
    ),
    (schema.api_token, lambda now, _audit: schema.api_token.c.revoked_at < now - REMEMBERED),
    (schema.approval, lambda _now, audit: schema.approval.c.decided_at < audit),
    (schema.integration, lambda _now, audit: schema.integration.c.revoked_at < audit),
    (schema.account, lambda _now, _audit: _ended_service_account()),
    (schema.pushed_request, lambda now, _audit: schema.pushed_request.c.expires_at < now),
    (schema.used_proof, lambda now, _audit: schema.used_proof.c.expires_at < now),
    (schema.session, lambda now, _audit: schema.session.c.expires_at < now),
    (schema.idempotency, lambda now, _audit: schema.idempotency.c.expires_at < now),
    (schema.change, lambda now, _audit: and_(_change.at < now - REMEMBERED, _is_not_newest)),
    (schema.usage, lambda _now, audit: schema.usage.c.hour < audit),
    (schema.audit, lambda _now, audit: schema.audit.c.at < audit),
)
"""Every table that fills with time, and when a row of it may go."""


async def clean(tx: Tx, table: str, *, audit_before: int, batch: int) -> int:
    """Delete up to `batch` ended rows of one table of `CLEANED`, the audit's before `audit_before`.

    Returns how many went.
    """
    cleaned, ended = next(each for each in CLEANED if each[0].name == table)
    key: Any = next(iter(cleaned.primary_key))
    doomed = await tx.all(select(key).where(ended(tx.now, audit_before)).limit(batch))
    if not doomed:
        return 0
    if cleaned is schema.idempotency:
        await give_back_keys(tx, [row[0] for row in doomed])
    gone = await tx.run(delete(cleaned).where(key.in_([row[0] for row in doomed])))
    count: int = gone.rowcount
    return count
