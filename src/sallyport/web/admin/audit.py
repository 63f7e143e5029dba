"""What was done on a site, by whom and why, newest first; narrowed, and as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlencode

from starlette.responses import Response

from sallyport.control.audit import (
    MOST_EXPORTED,
    AuditFilter,
    AuditLine,
    AuditPage,
    Whose,
    export_audit,
    read_audit,
)
from sallyport.vocab.clock import DAY
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.web.admin.frame import admins_frame, draw_site
from sallyport.web.api.audit import file_of
from sallyport.web.headers import guard
from sallyport.web.visit import Visit

PAGE = 50
_FORMATS: dict[str, Literal["csv", "jsonl"]] = {"csv": "csv", "jsonl": "jsonl"}
_FIELDS = ("event", "account", "since", "until")
_KINDS = sorted({each.value.partition(":")[0] for each in Event})


async def show_audit(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    asked = {name: visit.request.query_params.get(name, "").strip() for name in _FIELDS}
    problem, found = None, AuditPage((), None)
    try:
        found = await read_audit(
            visit.services, visit.actor, Whose.SITE, frame.site.id, _filter(visit), PAGE
        )
    except Refused as refused:
        if refused.reason is not Reason.INVALID_INPUT:
            raise
        problem = refused
    query = urlencode({name: value for name, value in asked.items() if value})
    return draw_site(
        visit,
        frame,
        "audit.html",
        tab="/audit",
        problem=problem,
        lines=found.lines,
        older=f"?{query}&before={found.next}" if found.next is not None else None,
        newest="before" not in visit.request.query_params,
        asked=asked,
        query=query,
        kinds=[("", "Everything"), *((each, each.replace("-", " ")) for each in _KINDS)],
        details=details,
    )


async def export(visit: Visit) -> Response:
    """The rows that the page shows and all older ones, as a file."""
    kind = _FORMATS.get(visit.request.query_params.get("format", "csv"))
    if kind is None:
        raise Refused(Reason.INVALID_INPUT, "There is no such format.", fix="Choose csv or jsonl.")
    pages = export_audit(
        visit.services, visit.actor, Whose.SITE, visit.path("site"), _filter(visit), MOST_EXPORTED
    )
    return guard(await file_of(pages, kind))


def details(line: AuditLine) -> list[tuple[str, str]]:
    """The details that say something to a person: no ids of ours, nothing that is not so."""
    return [
        (word.replace("_", " "), _words(value))
        for word, value in line.detail.items()
        if word != "reason" and not word.endswith("_id") and value not in (None, "", [], False)
    ]


def _filter(visit: Visit) -> AuditFilter:
    """What the page's address asks for. Raises `Refused`."""
    asked = visit.request.query_params
    before = asked.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) <= 18):
        raise Refused(Reason.INVALID_INPUT, "That is no row to go on from.")
    until = _day(asked.get("until", ""), "until")
    return AuditFilter(
        events=(asked["event"],) if asked.get("event") else (),
        account=asked.get("account", "").strip() or None,
        since=_day(asked.get("since", ""), "since"),
        until=None if until is None else until + DAY,
        before=int(before) if before else None,
    )


def _day(text: str, field: str) -> int | None:
    """The first millisecond of a day in UTC. Raises `Refused`."""
    if not text.strip():
        return None
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(
            Reason.INVALID_INPUT,
            "That is no day.",
            fix="Give it as 2026-11-25.",
            members={"field": field},
        ) from None
    return int(day.timestamp() * 1000)


def _words(value: object) -> str:
    if value is True:
        return "yes"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
