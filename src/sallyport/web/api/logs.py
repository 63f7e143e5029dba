"""What app code wrote: `/apps/{app_id}/environments/{env}/logs`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from sallyport.control.records import MOST_ROWS, app_logs
from sallyport.model.decision import LogLine
from sallyport.vocab.clock import iso
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.api.base import ActorDep, ServicesDep

router = APIRouter(tags=["logs"])


@router.get("/apps/{app_id}/environments/{environment}/logs")
async def read_logs(
    app_id: str,
    environment: str,
    actor: ActorDep,
    services: ServicesDep,
    invocation: str | None = None,
    trace: str | None = None,
    since: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
) -> dict[str, Any]:
    """The newest lines that match, oldest first."""
    lines = await app_logs(
        services,
        actor,
        app_id,
        environment,
        invocation=invocation,
        trace=trace,
        since=None if since is None else read_time(since),
        limit=limit,
    )
    return {"items": [_line(each) for each in lines]}


def read_time(text: str) -> int:
    """RFC 3339 text as milliseconds since the epoch. Raises `Refused`."""
    try:
        stamp = datetime.fromisoformat(text)
        if stamp.tzinfo is None:
            raise ValueError("no offset")
        return int(stamp.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refused(
            Reason.INVALID_INPUT,
            f"{text[:64]!r} is not a time.",
            fix="Send RFC 3339 text with an offset, such as 2026-11-23T19:05:40Z.",
        ) from None


def _line(line: LogLine) -> dict[str, Any]:
    return {
        "at": iso(line.at),
        "level": line.level,
        "text": line.text,
        "invocation_id": line.invocation_id,
        "trace_id": line.trace_id,
        "function_key": line.function_key,
        "site_id": line.site_id,
        "installation_id": line.installation_id,
    }
