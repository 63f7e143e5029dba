"""How much is called, refused and how long it takes: of a site, an app, an integration, a route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlencode

from starlette.responses import Response

from sallyport.control.call_figures import (
    Latency,
    Parties,
    Refusals,
    site_latency,
    site_refusals,
)
from sallyport.control.catalog import ConnectedApp, app_on_site, connected_apps
from sallyport.control.usage import By, Usage, UsageLine, site_usage
from sallyport.vocab.clock import DAY, HOUR
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.admin.frame import Frame, admins_frame, draw_site
from sallyport.web.admin.naming import callers_of_site
from sallyport.web.charts import Bar, Series
from sallyport.web.visit import Visit

Span = Literal["day", "week", "month"]
SPANS: dict[Span, str] = {"day": "24 hours", "week": "7 days", "month": "30 days"}
_DAYS: dict[Span, int] = {"day": 1, "week": 7, "month": 30}
MOST_BARS = 12
_TITLES = {reason.code: reason.title for reason in Reason}


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a span, in steps of an hour or a day. `latency` is None without calls on
    record."""

    total: Usage
    labels: list[str]
    calls: Series
    refused: Series
    failed: Series
    p50: Series
    p99: Series
    latency: Latency | None
    refusals: tuple[Refusals, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Whole steps up to now, the running one among them; in milliseconds."""

    step: int
    since: int
    until: int

    @property
    def steps(self) -> range:
        return range(self.since, self.until, self.step)

    @property
    def span(self) -> dict[str, int]:
        return {"since": self.since, "until": self.until}


async def show_usage(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    asked = visit.request.query_params
    span = _span(asked.get("span") or "day")
    of = Parties(
        environment_id=asked.get("app") or None,
        client_id=asked.get("caller") or None,
        route_key=asked.get("route") or None,
    )
    services, actor, site = visit.services, visit.actor, frame.site.id
    apps = (await connected_apps(services, actor, site)).apps
    titles = {each.installed.environment.id: each.title for each in apps}
    callers = await callers_of_site(visit, site)
    routes = await _route_names(visit, of, apps, site)
    times = times_of(visit, span)
    figures = await figures_of(visit, site, times, of)

    async def bars(
        by: Literal["environment", "integration", "route"],
        parameter: str,
        names: dict[str, str],
        nobody: str,
    ) -> list[Bar]:
        lines = await _usage(visit, site, by, of, times)
        return [_bar(each, parameter, names, nobody) for each in lines[:MOST_BARS]]

    def _bar(line: UsageLine, parameter: str, names: dict[str, str], nobody: str) -> Bar:
        if line.key is None:
            return Bar(nobody, line.usage.calls, "shut")
        key = str(line.key)
        query = {**{name: asked[name] for name in _FILTERS if asked.get(name)}, parameter: key}
        return Bar(names.get(key, key), line.usage.calls, "open", f"?{urlencode(query)}")

    return draw_site(
        visit,
        frame,
        "usage.html",
        tab="/usage",
        span=span,
        spans=list(SPANS.items()),
        of=of,
        titles=titles,
        callers=callers,
        routes=routes,
        figures=figures,
        reasons=[_reason(frame, each) for each in figures.refusals[:MOST_BARS]],
        by_app=await bars("environment", "app", titles, "none"),
        by_caller=await bars("integration", "caller", callers, "nobody known: no valid token"),
        by_route=await bars("route", "route", routes, "no route of the app")
        if of.environment_id is not None
        else [],
    )


_FILTERS = ("span", "app", "caller", "route")


async def figures_of(visit: Visit, site: str, times: Times, of: Parties) -> Figures:
    """Raises `Refused` for who is no admin of the site."""
    services, actor = visit.services, visit.actor
    by: Literal["hour", "day"] = "hour" if times.step == HOUR else "day"
    lines = await _usage(visit, site, by, of, times)
    took = await site_latency(services, actor, site, by, of=of, **times.span)
    overall = await site_latency(services, actor, site, "all", of=of, **times.span)
    total, at = Usage(), {line.key: line.usage for line in lines}
    for usage in at.values():
        total.add(usage)
    quick = {each.at: each for each in took}
    none = Latency(0, 0, 0, 0, 0)
    return Figures(
        total=total,
        labels=[_label(each, times.step) for each in times.steps],
        calls=Series("calls", "open", [at.get(each, Usage()).calls for each in times.steps]),
        refused=Series("refused", "shut", [at.get(each, Usage()).refused for each in times.steps]),
        failed=Series("failed", "wait", [at.get(each, Usage()).failed for each in times.steps]),
        p50=Series("p50", "plain", [_ms(quick.get(each, none).p50_us) for each in times.steps]),
        p99=Series("p99", "open", [_ms(quick.get(each, none).p99_us) for each in times.steps]),
        latency=overall[0] if overall else None,
        refusals=await site_refusals(services, actor, site, of=of, **times.span),
    )


async def _usage(
    visit: Visit, site: str, by: By, of: Parties, times: Times
) -> tuple[UsageLine, ...]:
    return await site_usage(
        visit.services,
        visit.actor,
        site,
        by,
        environment_id=of.environment_id,
        client_id=of.client_id,
        route_key=of.route_key,
        since=times.since,
        until=times.until,
    )


async def usage_of_day(
    visit: Visit, site: str, by: By, environment_id: str | None = None
) -> dict[str | int | None, Usage]:
    """The usage of the last day by key, from the beginning of an hour. Raises `Refused`."""
    until = visit.services.store.clock.now() + 1
    since = until - DAY
    lines = await site_usage(
        visit.services,
        visit.actor,
        site,
        by,
        since=since - since % HOUR,
        until=until,
        environment_id=environment_id,
    )
    return {line.key: line.usage for line in lines}


async def _route_names(
    visit: Visit, of: Parties, apps: Sequence[ConnectedApp], site: str
) -> dict[str, str]:
    """The routes of the app that is asked about, by key; none where it is not installed."""
    held = next(
        (a.installed for a in apps if a.installed.environment.id == of.environment_id), None
    )
    if held is None:
        return {}
    view = await app_on_site(visit.services, visit.actor, site, held.app.id, held.environment.key)
    return {
        route.key: f"{route.operation} {route.path}"
        for each in view.installations
        for route in each.routes
    }


def _reason(frame: Frame, each: Refusals) -> Bar:
    address = f"{frame.address}/decisions?{urlencode({'gate': each.gate})}"
    return Bar(f"{each.gate}: {_TITLES.get(each.reason, each.reason)}", each.calls, "shut", address)


def _span(text: str) -> Span:
    if text not in SPANS:
        raise Refused(
            Reason.INVALID_INPUT,
            "There is no such span.",
            fix=f"Choose one of {', '.join(SPANS)}.",
            members={"field": "span"},
        )
    return text


def times_of(visit: Visit, span: Span) -> Times:
    """A span up to now."""
    now = visit.services.store.clock.now()
    step = HOUR if span == "day" else DAY
    count = 24 if span == "day" else _DAYS[span]
    ends = now - now % step + step
    return Times(step, ends - count * step, ends)


def _label(at: int, step: int) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%H:%M}" if step == HOUR else f"{moment.day} {moment:%b}"


def _ms(us: int) -> float:
    return round(us / 1000, 1)
