"""What calls cost and how many there were, as admins, developers and owners read it."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from app_world import DeployedApp, deploy_echo
from demo_world import Demo, Person

READ, WRITE, PRODUCT = "read:thing:custom", "write:thing:custom", "read:forge-app:jira"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def app(demo: Demo) -> DeployedApp:
    return deploy_echo(demo)


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def counted(person: Person, path: str, by: str, calls: int, **query: str) -> dict[Any, Any]:
    """Usage by key, once it counts `calls`; it is written some seconds after the calls."""
    deadline = time.monotonic() + 30
    while True:
        lines = items(person.api("GET", path, params={"by": by, **query}))
        if sum(line["calls"] for line in lines) >= calls:
            return {line[by]: line for line in lines}
        assert time.monotonic() < deadline, lines


def test_usage_by_integration_route_scope_and_hour(app: DeployedApp) -> None:
    narrow = app.consent(scope=f"{READ} {PRODUCT}")["access_token"]
    for _ in range(3):
        assert app.call("GET", "/open/x").status_code == 200
    assert app.call("POST", "/open/x", content="12345").status_code == 200
    assert app.call("POST", "/open/x", token=narrow).status_code == 403
    assert app.call("GET", "/open/x", token="none").status_code == 401
    assert app.call("GET", "/nothing").status_code == 404

    admin, developer = app.demo.person("admin"), app.demo.person("developer")
    site = f"/admin/sites/{app.demo.facts['cloud_id']}/usage"
    built = f"/apps/{app.app_id}/environments/development/usage"
    owned = f"/integrations/{app.client_id}/usage"

    routes = counted(admin, site, "route", 7, app_id=app.app_id)
    assert {key: line["calls"] for key, line in routes.items()} == {"open": 4, "post": 2, None: 1}
    assert routes["post"]["refused"] == routes["open"]["refused"] == routes[None]["refused"] == 1
    assert routes["post"]["bytes_in"] == 5
    assert routes["open"]["bytes_out"] > 300
    assert routes["open"]["worker_us"] > 0
    assert routes["open"]["failed"] == 0

    callers = counted(admin, site, "integration", 7, app_id=app.app_id)
    # Without a good token nobody is known to have called.
    assert {key: line["calls"] for key, line in callers.items()} == {app.client_id: 5, None: 2}
    scopes = counted(developer, built, "scope", 7)
    assert {key: line["calls"] for key, line in scopes.items()} == {READ: 4, WRITE: 2, None: 1}
    hours = counted(developer, owned, "hour", 5)
    assert all(hour.endswith(":00:00.000Z") for hour in hours)
    assert set(counted(developer, owned, "site", 5)) == {app.demo.facts["cloud_id"]}

    figures = f"/admin/sites/{app.demo.facts['cloud_id']}"
    here = {"environment_id": app.environment_id}
    assert counted(admin, site, "day", 7, **here).keys() == {f"{min(hours)[:10]}T00:00:00.000Z"}
    assert counted(admin, site, "environment", 7, app_id=app.app_id).keys() == {app.environment_id}
    assert {
        key: line["calls"]
        for key, line in counted(admin, site, "route", 4, route="open", **here).items()
    } == {"open": 4}
    refused = items(admin.api("GET", f"{figures}/refusals", params=here))
    assert {(line["gate"], line["reason"]): line["calls"] for line in refused} == {
        ("scopes", "scope_missing"): 1,
        ("token", "token_invalid"): 1,
        ("route", "route_unknown"): 1,
    }
    (took,) = items(admin.api("GET", f"{figures}/latency", params={"by": "all", **here}))
    assert took["calls"] == 4
    assert 0 < took["p50_us"] <= took["p95_us"] <= took["p99_us"]
    today = f"{figures}/last-day"
    for which, calls in ((here, 7), ({"client_id": app.client_id}, 5), ({"route": "post"}, 2)):
        assert admin.api("GET", today, params={**here, **which}).json()["calls"] == calls
    (grant,) = [
        each["grant_id"] for each in items(admin.api("GET", f"{figures}/grants", params=here))
    ]
    assert admin.api("GET", today, params={"grant_id": grant}).json()["calls"] == 5

    # Everybody sees what is theirs and no more.
    for person, path in (
        (admin, built),
        (admin, owned),
        (developer, site),
        *((developer, f"{figures}/{name}") for name in ("refusals", "latency", "last-day")),
    ):
        assert person.api("GET", path).status_code in (403, 404)
    assert developer.api("GET", built, params={"by": "integration"}).status_code == 422
    later = {"since": "2100-01-01T00:00:00Z", "until": "2100-01-02T00:00:00Z"}
    assert items(developer.api("GET", built, params=later)) == []
    assert developer.api("GET", built, params={"since": "yesterday"}).status_code == 422


def test_a_record_says_what_a_call_cost(app: DeployedApp) -> None:
    answer = app.call("POST", "/open/x", content="12345")
    admin = app.demo.person("admin")
    while (
        found := admin.api("GET", f"/decisions/{answer.headers['atl-request-id']}")
    ).status_code == 404:
        pass
    record = found.json()
    assert (record["bytes_in"], record["bytes_out"]) == (5, len(answer.content))
    assert 0 < record["worker_us"] <= record["duration_us"]


def test_a_call_is_part_of_its_callers_trace(app: DeployedApp) -> None:
    answer = app.call("GET", "/open/x", headers={"traceparent": PARENT, "tracestate": "a=b"})
    trace = PARENT.split("-")[1]
    assert answer.headers["atl-traceid"] == trace
    seen = answer.json()
    assert seen["context"]["traceId"] == trace
    version, same, span, flags = seen["headers"]["traceparent"][0].split("-")
    assert (version, same, flags) == ("00", trace, "01")
    assert span != PARENT.split("-")[2]
    assert seen["headers"]["tracestate"] == ["a=b"]
    refused = app.call("GET", "/nothing", headers={"traceparent": PARENT})
    assert refused.json()["trace_id"] == refused.headers["atl-traceid"] == trace
    own = app.call("GET", "/open/x")
    assert own.headers["atl-traceid"] != trace
    assert own.json()["headers"]["traceparent"][0].split("-")[1] == own.headers["atl-traceid"]


def test_an_operator_sees_processes_and_limits(app: DeployedApp) -> None:
    assert app.call("GET", "/open/x").status_code == 200
    found = app.demo.operator.api("GET", "/operator/platform").json()
    (process,) = found["processes"]
    assert process["workers"] >= 1
    assert process["busy"] <= process["workers"] <= process["most_workers"]
    assert (process["waiting"], process["lag_ms"], process["dropped"]) == (0, 0, 0)
    assert process["facts"] > 0
    assert process["started_at"] < process["at"]
    limits = {each["variable"]: each["value"] for each in found["limits"]}
    assert limits["SALLYPORT_APP_WORKERS"] == process["most_workers"]
    assert limits["SALLYPORT_APP_CALLS_PER_MINUTE"] > 0
    assert found["counts"]["sites"] >= 1
    app.turn(on=False)
    turned = app.demo.person("admin").api("GET", app.switch_path).json()["reach"]
    assert (turned["processes"], turned["reached"]) == (1, 1)
