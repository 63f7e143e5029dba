"""Calls that were decided: what was refused, by which gate, and why."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from sallyport.control.catalog import connected_apps
from sallyport.control.records import DecisionQuery, decisions_of_site, explain
from sallyport.control.sites import find_site
from sallyport.model.decision import GATES
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import is_uuid
from sallyport.web.admin.frame import admins_frame, draw_site
from sallyport.web.admin.naming import callers_of_site
from sallyport.web.visit import Visit

PAGE = 50


async def show_list(visit: Visit) -> Response:
    """The newest first; refusals unless all are asked for."""
    frame = await admins_frame(visit)
    asked = visit.request.query_params
    gate, all_shown = asked.get("gate") or None, asked.get("show") == "all"
    if gate is not None and gate not in GATES:
        raise Refused(
            Reason.INVALID_INPUT, "There is no such gate.", fix=f"One of {', '.join(GATES)}."
        )
    apps = (await connected_apps(visit.services, visit.actor, frame.site.id)).apps
    wanted = DecisionQuery(
        refused_only=not all_shown,
        environment_id=asked.get("app") or None,
        client_id=asked.get("caller") or None,
        gate=gate,
        before=_moment(asked.get("before")),
    )
    services, actor = visit.services, visit.actor
    found = await decisions_of_site(services, actor, frame.site.id, wanted, PAGE + 1)
    older = None
    if len(found) > PAGE:
        kept = {name: asked[name] for name in ("app", "caller", "gate", "show") if asked.get(name)}
        last = found[PAGE - 1]
        older = f"?{urlencode({**kept, 'before': f'{last.at}.{last.id}'})}"
    return draw_site(
        visit,
        frame,
        "decisions.html",
        tab="/decisions",
        decisions=found[:PAGE],
        older=older,
        apps={each.installed.environment.id: each.title for each in apps},
        callers=await callers_of_site(visit, frame.site.id),
        gates=[(each, each) for each in GATES],
        asked={name: asked.get(name, "") for name in ("app", "caller", "gate", "show")},
        filtered=any(asked.get(name) for name in ("app", "caller", "gate", "show", "before")),
    )


async def show_one(visit: Visit) -> Response:
    """Why a call was let in or refused: the row of gates."""
    site = await find_site(visit.services, visit.actor, visit.path("site"))
    explained = await explain(visit.services, visit.actor, visit.path("decision_id"))
    if explained.record.site_id != site.id:
        raise Refused(Reason.NOT_FOUND, "There is no such decision about this site.")
    frame = await admins_frame(visit)
    record = explained.record
    apps = (await connected_apps(visit.services, visit.actor, frame.site.id)).apps
    callers = await callers_of_site(visit, frame.site.id)
    return draw_site(
        visit,
        frame,
        "decision.html",
        tab="/decisions",
        trail=frame.trail(("Decisions", f"{frame.address}/decisions"), (record.id[:8], None)),
        explained=explained,
        caller=callers.get(record.client_id or "", record.client_id),
        app=next((a for a in apps if a.installed.environment.id == record.environment_id), None),
    )


def _moment(text: str | None) -> tuple[int, str] | None:
    if not text:
        return None
    at, _, last = text.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) <= 15 and is_uuid(last)):
        raise Refused(Reason.INVALID_INPUT, "That is no decision to go on from.")
    return int(at), last
