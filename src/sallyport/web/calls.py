"""The developer console: calls and log lines of an environment as they come, and one to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import urlencode

from starlette.responses import Response

from sallyport.control import following
from sallyport.control.catalog import environment_scopes
from sallyport.control.following import LEVELS, Numbered, Wanted
from sallyport.control.installations import Installed, list_installations
from sallyport.model.decision import DecisionRecord
from sallyport.model.registry import PRODUCTION
from sallyport.vocab.clock import DAY, HOUR, MINUTE
from sallyport.vocab.errors import Refused
from sallyport.web.charts import Bar, bar_chart
from sallyport.web.drawing import ENVIRONMENT, draw
from sallyport.web.environment import frame
from sallyport.web.live import Event, stream
from sallyport.web.visit import Visit

A_PAGE = 50
LATE_MS = 10_000
"""Calls are kept in batches: one may come into the store this much after a later one."""

SPANS = {
    "15m": ("Last 15 minutes", 15 * MINUTE),
    "1h": ("Last hour", HOUR),
    "1d": ("Last day", DAY),
    "7d": ("Last 7 days", 7 * DAY),
}
RESULTS = (("allowed", "Let in"), ("refused", "Refused"), ("failed", "Failed (5xx)"))
_RESULTS = frozenset(value for value, _ in RESULTS)
_FILTERS = ("since", "level", "function", "site", "result", "route", "trace", "invocation")


async def show_calls(visit: Visit) -> Response:
    """The newest calls; those to come appear by themselves."""
    around, chosen = await frame(visit), _chosen(visit)
    before = visit.request.query_params.get("before")
    place = visit.path("app_id"), visit.path("environment")
    calls: Sequence[DecisionRecord] = ()
    problem = None
    try:
        calls = await following.app_calls(
            visit.services,
            visit.actor,
            *place,
            _wanted(visit, chosen),
            before=_before(before),
            limit=A_PAGE,
        )
    except Refused as refused:
        problem = refused
    newest = max((each.at for each in calls), default=visit.services.store.clock.now())
    last = f"{calls[-1].at}.{calls[-1].id}" if len(calls) == A_PAGE else None
    return await _draw_followed(
        visit, "calls", around, chosen, problem, str(newest), bool(before), last, calls=calls
    )


async def stream_calls(visit: Visit) -> Response:
    """Calls as they come, each as a row of the table."""
    around, chosen = await frame(visit), _chosen(visit)
    hosts = _hosts(await _installed(visit))
    place = visit.path("app_id"), visit.path("environment")
    wanted = _wanted(visit, chosen)
    seen: dict[str, int] = {}

    async def read(since: int) -> list[DecisionRecord]:
        recent = replace(wanted, since=max(since - LATE_MS, wanted.since or 0))
        return await following.app_calls(
            visit.services, visit.actor, *place, recent, limit=following.MOST_ROWS
        )

    async def follow(mark: str) -> list[Event]:
        at = _number(mark)
        if not seen:
            seen.update((each.id, each.at) for each in await read(at) if each.at <= at)
            seen.setdefault("", at)
        fresh = [each for each in reversed(await read(at)) if each.id not in seen]
        for each in fresh:
            at = max(at, each.at)
            seen[each.id] = each.at
        for old in [key for key, when in seen.items() if key and when < at - 2 * LATE_MS]:
            del seen[old]
        return [
            Event("call", _row("call_row", each, hosts, around["home"]), str(at)) for each in fresh
        ]

    await read(_number(visit.request.query_params.get("from", "")))
    return stream(visit, follow, visit.request.query_params.get("from", ""))


async def show_call(visit: Visit) -> Response:
    """One call: its gates, the decision, what the code wrote, where the time went."""
    around = await frame(visit)
    place = visit.path("app_id"), visit.path("environment")
    story = await following.call_story(
        visit.services, visit.actor, *place, visit.path("decision_id")
    )
    record = story.record
    spent = bar_chart(
        "Where the time went",
        [
            Bar("In the function", _ms(record.worker_us or 0), "open"),
            Bar("At the gates", _ms(record.duration_us - (record.worker_us or 0)), "plain"),
        ],
        "ms",
    )
    return draw(visit, "console/call.html", **around, story=story, spent=spent)


async def show_logs(visit: Visit) -> Response:
    """The newest lines that app code wrote; those to come appear by themselves."""
    around, chosen = await frame(visit), _chosen(visit)
    place = visit.path("app_id"), visit.path("environment")
    lines: Sequence[Numbered] = ()
    problem = None
    before = _number(visit.request.query_params.get("before", ""))
    # Asked for before the lines are read: one that comes between is told twice rather than never.
    newest = await following.newest_line(visit.services)
    try:
        lines = await following.app_lines(
            visit.services,
            visit.actor,
            *place,
            _wanted(visit, chosen),
            before=before or None,
            limit=2 * A_PAGE,
        )
    except Refused as refused:
        problem = refused
    newest = max([newest, *(each.seq for each in lines)]) if not before else newest
    last = str(lines[-1].seq) if len(lines) == 2 * A_PAGE else None
    return await _draw_followed(
        visit, "logs", around, chosen, problem, str(newest), bool(before), last, lines=lines
    )


async def stream_logs(visit: Visit) -> Response:
    """Lines as they are written, each as a row of the table."""
    around, chosen = await frame(visit), _chosen(visit)
    hosts = _hosts(await _installed(visit))
    place = visit.path("app_id"), visit.path("environment")
    wanted = _wanted(visit, chosen)

    async def follow(mark: str) -> list[Event]:
        lines = await following.app_lines(
            visit.services, visit.actor, *place, wanted, after=_number(mark)
        )
        return [
            Event("line", _row("line_row", each.line, hosts, around["home"]), str(each.seq))
            for each in lines
        ]

    began = visit.request.query_params.get("from", "")
    await following.app_lines(visit.services, visit.actor, *place, wanted, limit=1)
    return stream(visit, follow, began)


async def _draw_followed(
    visit: Visit,
    what: Literal["calls", "logs"],
    around: Mapping[str, Any],
    chosen: Mapping[str, str],
    problem: Refused | None,
    mark: str,
    looks_back: bool,
    last: str | None,
    **rows: Any,
) -> Response:
    """A list that follows the store from `mark` on; `last` is the row that older ones come after,
    None where this is all."""
    address, installed = f"{around['home']}/{what}", await _installed(visit)
    return draw(
        visit,
        f"console/{what}.html",
        **around,
        **await _choices(visit, installed),
        **rows,
        problem=problem if _looked(chosen) else None,
        closed=problem is not None,
        chosen=chosen,
        hosts=_hosts(installed),
        live=_live(visit, address, chosen, mark) if problem is None else None,
        pause=_address(address, chosen, live="off"),
        resume=_address(address, chosen),
        newer=_address(address, chosen) if looks_back else None,
        older=_address(address, chosen, before=last) if last is not None else None,
    )


def _chosen(visit: Visit) -> dict[str, str]:
    """The filters of the address, empty where they are not set."""
    query = visit.request.query_params
    return {name: query.get(name, "").strip()[:200] for name in _FILTERS}


def _looked(chosen: Mapping[str, str]) -> bool:
    return any(chosen.values())


def _wanted(visit: Visit, chosen: Mapping[str, str]) -> Wanted:
    """The filters as the store takes them; one that is none of the choices lets all through."""
    span = SPANS.get(chosen["since"])
    now = visit.services.store.clock.now()
    result = chosen["result"]
    return Wanted(
        site_id=chosen["site"] or None,
        level=chosen["level"] if chosen["level"] in LEVELS else None,
        function=chosen["function"] or None,
        routes=(chosen["route"],) if chosen["route"] else None,
        result=result if result in _RESULTS else None,  # type: ignore[arg-type]
        since=now - span[1] if span is not None else None,
        trace=chosen["trace"] or None,
        invocation=chosen["invocation"] or None,
    )


async def _choices(visit: Visit, installed: Sequence[Installed]) -> dict[str, Any]:
    """What the filters offer."""
    place = visit.path("app_id"), visit.path("environment")
    opened = await environment_scopes(visit.services, visit.actor, *place)
    routes = {route.key: route for each in opened for route in each.routes}
    return {
        "spans": [("", "Any time"), *((key, title) for key, (title, _) in SPANS.items())],
        "results": [("", "Every result"), *RESULTS],
        "levels": [("", "Every level"), *((each, f"{each} and graver") for each in LEVELS[1:])],
        "routes": [
            ("", "Every route"),
            *((key, f"{each.operation} {each.path}") for key, each in sorted(routes.items())),
        ],
        "functions": [
            ("", "Every function"),
            *((each, each) for each in sorted({each.function for each in routes.values()})),
        ],
        "sites": [
            ("", "Every site"),
            *dict.fromkeys((each.site.id, each.site.host) for each in installed),
        ],
        "production": place[1] == PRODUCTION,
    }


async def _installed(visit: Visit) -> Sequence[Installed]:
    """Where the environment is installed now."""
    return await list_installations(
        visit.services,
        visit.actor,
        app_id=visit.path("app_id"),
        environment=visit.path("environment"),
    )


def _hosts(installed: Sequence[Installed]) -> dict[str, str]:
    """Site id -> host."""
    return {each.site.id: each.site.host for each in installed}


def _live(visit: Visit, address: str, chosen: Mapping[str, str], mark: str) -> str | None:
    """The stream's address; None where the person paused it or looks at older ones."""
    query = visit.request.query_params
    if query.get("live") == "off" or query.get("before"):
        return None
    return _address(f"{address}/stream", chosen, **{"from": mark})


def _address(path: str, chosen: Mapping[str, str], **more: str) -> str:
    query = {name: value for name, value in {**chosen, **more}.items() if value}
    return f"{path}?{urlencode(query)}" if query else path


def _row(macro: str, *values: Any) -> str:
    rows: Any = ENVIRONMENT.get_template("console/rows.html").module
    return str(getattr(rows, macro)(*values)).strip()


def _before(text: str | None) -> tuple[int, str] | None:
    at, _, last = (text or "").partition(".")
    return (_number(at), last) if at and last else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _ms(us: int) -> float:
    return round(us / 1000, 1)
