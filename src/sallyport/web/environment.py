"""The developer console: one environment, its versions and its variables."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.apps import AppView, show_app
from sallyport.control.catalog import environment_scopes
from sallyport.control.deploy import list_versions
from sallyport.control.installations import list_installations
from sallyport.control.usage import UsageLine, app_usage
from sallyport.control.variables import list_variables, set_variable, unset_variable
from sallyport.control.versions import compare_versions, roll_back
from sallyport.model.registry import Environment
from sallyport.vocab.clock import HOUR
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm, flash
from sallyport.web.charts import hours
from sallyport.web.drawing import draw, plural
from sallyport.web.forms import one
from sallyport.web.visit import Visit

DAY_HOURS = 24


def home(app_id: str, key: str) -> str:
    """The address of an environment's first page."""
    return f"/console/apps/{app_id}/environments/{key}"


async def frame(visit: Visit) -> dict[str, Any]:
    """What every page of an environment shows around its own: app, environment, tabs, trail."""
    app_id, key = visit.path("app_id"), visit.path("environment")
    view = await show_app(visit.services, visit.actor, app_id)
    held = next((each for each in view.environments if each.environment.key == key), None)
    if held is None:
        raise Refused(
            Reason.NOT_FOUND,
            "The app has no such environment.",
            fix="Choose one on the app's page.",
        )
    address = home(app_id, key)
    return {
        "view": view,
        "environment": held.environment,
        "live_version": held.live_version,
        "home": address,
        "tabs": [
            ("Overview", address),
            ("Versions", f"{address}/versions"),
            ("Variables", f"{address}/variables"),
            ("Calls", f"{address}/calls"),
            ("Logs", f"{address}/logs"),
        ],
        "public_url": visit.services.public_url,
    }


def trail(view: AppView, environment: Environment, *more: tuple[str, str | None]) -> confirm.Trail:
    address = home(view.app.id, environment.key)
    return [
        ("Apps", "/console"),
        (view.app.name, f"/console/apps/{view.app.id}"),
        (environment.key, address if more else None),
        *more,
    ]


async def show(visit: Visit) -> Response:
    """Scopes and what they open, where it runs, how often it was called."""
    around = await frame(visit)
    place = visit.path("app_id"), visit.path("environment")
    usage = await _last_day(visit)
    return draw(
        visit,
        "console/environment.html",
        **around,
        scopes=await environment_scopes(visit.services, visit.actor, *place),
        installations=await list_installations(
            visit.services, visit.actor, app_id=place[0], environment=place[1]
        ),
        usage=usage,
        chart=hours("Calls an hour", usage, visit.services.store.clock.now(), DAY_HOURS),
    )


async def show_versions(visit: Visit) -> Response:
    """Every version; and what changed between two, where two are asked for."""
    around = await frame(visit)
    place = visit.path("app_id"), visit.path("environment")
    versions = await list_versions(visit.services, visit.actor, *place)
    query = visit.request.query_params
    comparison, problem = None, None
    if query.get("old") and query.get("new"):
        try:
            comparison = await compare_versions(
                visit.services, visit.actor, *place, query["old"], query["new"]
            )
        except Refused as refused:
            problem = refused
    return draw(
        visit,
        "console/versions.html",
        status=problem.reason.status if problem is not None else 200,
        **around,
        versions=versions,
        comparison=comparison,
        problem=problem,
    )


async def ask_roll_back(visit: Visit) -> Response:
    return await _roll_back_page(visit)


async def do_roll_back(visit: Visit, form: FormData) -> Response:
    """Deploy an earlier version anew; the page says under which number."""
    place = visit.path("app_id"), visit.path("environment")
    version = visit.path("version")
    try:
        made = await roll_back(visit.services, visit.actor, *place, version)
    except Refused as refused:
        return await _roll_back_page(visit, problem=refused)
    text = f"Version {made.number} runs now. It is {version} again."
    return flash.say(visit, f"{home(*place)}/versions", text)


async def show_variables(visit: Visit) -> Response:
    return await _variables_page(visit)


async def set_one(visit: Visit, form: FormData) -> Response:
    """Set a variable. What was typed stays where it is refused, but for a secret value."""
    key, value, secret = one(form, "key").strip(), one(form, "value"), bool(one(form, "secret"))
    place = visit.path("app_id"), visit.path("environment")
    try:
        await set_variable(visit.services, visit.actor, *place, key, value, secret=secret)
    except Refused as refused:
        typed = {"key": key, "value": "" if secret else value, "secret": secret}
        return await _variables_page(visit, typed=typed, problem=refused)
    text = f"{key} is set. Functions read it from their next start on."
    return flash.say(visit, f"{home(*place)}/variables", text)


async def ask_unset(visit: Visit) -> Response:
    around = await frame(visit)
    key = visit.path("key")
    address = f"{around['home']}/variables"
    return confirm.ask(
        visit,
        f"Unset {key}?",
        "Unset it",
        [
            f"Functions in {visit.path('environment')} no longer find {key} from their next start.",
            "Its value is gone; to have it back, set it again.",
            f"{plural(_calls(await _last_day(visit)), 'call')} came here in the last day.",
        ],
        action=f"{address}/{key}/unset",
        back=address,
        trail=trail(around["view"], around["environment"], ("Variables", address), (key, None)),
    )


async def unset(visit: Visit, form: FormData) -> Response:
    place, key = (visit.path("app_id"), visit.path("environment")), visit.path("key")
    await unset_variable(visit.services, visit.actor, *place, key)
    return flash.say(visit, f"{home(*place)}/variables", f"{key} is unset.")


async def _roll_back_page(visit: Visit, *, problem: Refused | None = None) -> Response:
    around = await frame(visit)
    environment, version = around["environment"], visit.path("version")
    place = visit.path("app_id"), environment.key
    newest = around["live_version"]
    changed = await compare_versions(
        visit.services, visit.actor, *place, newest or version, version
    )
    where = await list_installations(
        visit.services, visit.actor, app_id=place[0], environment=place[1]
    )
    address = f"{around['home']}/versions"
    gone = [each for each in changed.differences if each.change != "added"]
    breaks = [
        f"{plural(len(where), 'installation')} of {environment.key} run it from the next call on; "
        f"{plural(_calls(await _last_day(visit)), 'call')} came in the last day.",
        "It is deployed anew under the next number, so this can be undone the same way.",
    ]
    if gone:
        names = "; ".join(
            f"{each.what} {each.name} {each.detail or each.change}" for each in gone[:8]
        )
        breaks.insert(1, f"Against {newest}: {names}.")
    return confirm.ask(
        visit,
        f"Go back to version {version}?",
        f"Go back to {version}",
        breaks,
        action=f"{address}/{version}/roll-back",
        back=f"{address}?{urlencode({'old': newest or version, 'new': version})}",
        trail=trail(around["view"], environment, ("Versions", address), (version, None)),
        problem=problem,
    )


async def _variables_page(
    visit: Visit, *, typed: dict[str, Any] | None = None, problem: Refused | None = None
) -> Response:
    around = await frame(visit)
    place = visit.path("app_id"), visit.path("environment")
    return draw(
        visit,
        "console/variables.html",
        status=problem.reason.status if problem is not None else 200,
        **around,
        variables=await list_variables(visit.services, visit.actor, *place),
        typed=typed or {"key": "", "value": "", "secret": False},
        problem=problem,
    )


async def _last_day(visit: Visit) -> tuple[UsageLine, ...]:
    now = visit.services.store.clock.now()
    return await app_usage(
        visit.services,
        visit.actor,
        visit.path("app_id"),
        visit.path("environment"),
        "hour",
        since=now - DAY_HOURS * HOUR,
        until=now + 1,
    )


def _calls(usage: tuple[UsageLine, ...]) -> int:
    return sum(each.usage.calls for each in usage)
