"""How much there is on the platform, for its operators."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from sallyport.model.platform import PlatformCounts
from sallyport.store import schema
from sallyport.store.accounts import PERSON
from sallyport.store.engine import Reader
from sallyport.store.usage import usage_by
from sallyport.vocab.clock import DAY, HOUR


async def platform_counts(reader: Reader) -> PlatformCounts:
    """Counts of what is live now, and of the calls of the last day, from the beginning of an
    hour."""
    since = reader.now - DAY
    lines = await usage_by(reader, "day", since=since - since % HOUR, until=reader.now + 1)

    async def count(statement: Select[Any]) -> int:
        return int(await reader.scalar(statement))

    return PlatformCounts(
        organizations=await count(select(func.count()).select_from(schema.organization)),
        sites=await count(select(func.count()).select_from(schema.site)),
        accounts=await count(
            select(func.count()).where(schema.account.c.kind == PERSON, schema.account.c.active)
        ),
        apps=await count(select(func.count()).select_from(schema.app)),
        installations=await count(select(func.count()).select_from(schema.installation)),
        integrations=await count(
            select(func.count()).where(schema.integration.c.revoked_at.is_(None))
        ),
        calls=sum(line.usage.calls for line in lines),
        refused=sum(line.usage.refused for line in lines),
    )
