"""Calls and log lines of a connected app, put into the store as the gateway would, for pages."""

from __future__ import annotations

from browsing import House
from connected import WRITE, Connected
from sallyport.control.apps import show_app
from sallyport.model.decision import DecisionRecord, LogLine
from sallyport.model.directory import PLATFORM
from sallyport.store.records import add_decisions, add_log_lines
from sallyport.vocab.ids import new_id


def environment_id(house: House, place: Connected, key: str = "development") -> str:
    view = house.act(show_app(house.services, PLATFORM, place.app_id))
    return next(each.environment.id for each in view.environments if each.environment.key == key)


def call(house: House, place: Connected, **changed: object) -> DecisionRecord:
    """One call of a route, let in unless told otherwise; kept when this returns."""
    made = DecisionRecord(
        id=new_id(),
        trace_id=new_id().replace("-", ""),
        at=house.services.store.clock.now(),
        method="GET",
        path=f"/svc/jira/{place.site_id}/apps/{place.app_id}/getEmployeeName",
        status=200,
        gate=None,
        reason=None,
        problem=None,
        duration_us=6_200,
        site_id=place.site_id,
        app_id=place.app_id,
        environment_id=environment_id(house, place),
        installation_id=new_id(),
        route_key="route-0",
        client_id=new_id(),
        account_id=new_id(),
        grant_id=new_id(),
        invocation_id=new_id(),
        worker_us=4_100,
        bytes_in=0,
        bytes_out=81,
    )
    made = made._replace(**changed)
    house.act(house.services.store.write(add_decisions, [made]))
    return made


def refused_call(house: House, place: Connected) -> DecisionRecord:
    """A call whose token lacks a scope."""
    return call(
        house,
        place,
        method="POST",
        path=f"/svc/jira/{place.site_id}/apps/{place.app_id}/editEmployeeName",
        status=403,
        gate="scopes",
        reason="scope_missing",
        invocation_id=None,
        route_key="route-2",
        problem={
            "title": "The token lacks a scope that this route needs",
            "detail": f"The route needs {WRITE}.",
            "fix": "Ask for consent again, with the missing scope.",
            "required_scopes": [WRITE],
            "granted_scopes": ["read:secret-of-the-caller:custom"],
        },
    )


def lines(house: House, of: DecisionRecord, *texts: tuple[str, str]) -> None:
    """What the code wrote in a call: (level, text)."""
    assert of.environment_id is not None
    assert of.site_id is not None
    assert of.installation_id is not None
    assert of.invocation_id is not None
    written = [
        LogLine(
            of.at + 2 * number,
            level,  # type: ignore[arg-type]
            text,
            of.environment_id,
            of.installation_id,
            of.site_id,
            of.invocation_id,
            of.trace_id,
            "answer",
        )
        for number, (level, text) in enumerate(texts)
    ]
    house.act(house.services.store.write(add_log_lines, written))
