"""T-RATE: quotas hold across routes, methods and refusals, and nobody spends another's.

Planted bugs that these tests were seen to fail on: the site left out of the key of refused calls; a
key that changes; refused calls never counted; 405 and OPTIONS not counted; remembering nobody's
calls. (The keys of accepted calls: tests/unit/gateway/test_quotas.py.)
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from app_world import ECHO_FUNCTIONS, ECHO_ROUTES, ECHO_SOURCE, deploy_echo
from demo_world import demo_on
from two_sites import TwoSites, two_sites

ACCOUNT, INTEGRATION, APP, REFUSED = 20, 30, 40, 25
CALLS = (
    ("GET", "/open/x"),
    ("POST", "/open/x"),
    ("GET", "/named/1"),
    ("GET", "/page"),
    ("GET", "/open/another?query=1"),
)

TIGHT = {
    **ECHO_ROUTES[0],
    "key": "tight",
    "path": "/tight/*",
    "rateLimit": {"perMinute": 2},
}


@pytest.fixture
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    limits = {
        "SALLYPORT_ACCOUNT_CALLS_PER_MINUTE": str(ACCOUNT),
        "SALLYPORT_INTEGRATION_CALLS_PER_MINUTE": str(INTEGRATION),
        "SALLYPORT_APP_CALLS_PER_MINUTE": str(APP),
        "SALLYPORT_REFUSED_CALLS_PER_MINUTE": str(REFUSED),
    }
    with demo_on(tmp_path_factory.mktemp("rate") / "data", **limits) as demo:
        yield two_sites(demo, [*ECHO_ROUTES, TIGHT], ECHO_FUNCTIONS, ECHO_SOURCE)


def spend(two: TwoSites, token: str) -> tuple[int, httpx.Response]:
    """Call by every route and method until one is refused: how many went through, the refusal."""
    for count in itertools.count():
        method, path = CALLS[count % len(CALLS)]
        answer = two.app.call(method, path, token=token)
        if answer.status_code != 200:
            return count, answer
        standing = re.fullmatch(
            r'"(account|integration|app)";r=(\d+);t=(\d+)', answer.headers["ratelimit"]
        )
        assert standing is not None
        assert answer.headers["ratelimit-policy"] == (
            f'"integration";q={INTEGRATION};w=60, "account";q={ACCOUNT};w=60, "app";q={APP};w=60'
        )
        assert count < 5 * APP
    raise AssertionError("unreachable")


def came_back(since: float, per_minute: int) -> int:
    """How many calls of a quota may have come back meanwhile; a busy machine takes its time."""
    return int((time.monotonic() - since) * per_minute / 60) + 1


def until_limited(call: Callable[[], httpx.Response]) -> httpx.Response:
    """The refusal of a call whose quota is spent; what came back of it meanwhile is spent first."""
    answer = call()
    for _ in range(5):
        if answer.status_code != 200:
            break
        answer = call()
    return answer


def limited(answer: httpx.Response, by: str) -> None:
    assert answer.status_code == 429, answer.text
    body = answer.json()
    assert (body["reason"], body["gate"], body["limit"]) == ("rate_limited", "limits", by)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert f"Wait {answer.headers['retry-after']} s." in body["fix"]
    assert answer.headers["atl-traceid"] == body["trace_id"]


def test_quotas_by_account_integration_and_app(two: TwoSites) -> None:
    member = two.app.tokens["access_token"]
    since = time.monotonic()
    passed, refused = spend(two, member)
    assert ACCOUNT <= passed <= ACCOUNT + came_back(since, ACCOUNT)
    limited(refused, "account")
    assert refused.headers["ratelimit"].startswith('"account";r=0;t=')
    for method, path in CALLS:
        limited(until_limited(partial(two.app.call, method, path)), "account")

    # A new token of the same account is the same account.
    fresh = two.app.consent()["access_token"]
    limited(until_limited(partial(two.app.call, "GET", "/open/x", token=fresh)), "account")

    # Another account goes on, until the integration is spent.
    admin = two.app.consent("admin")["access_token"]
    passed, refused = spend(two, admin)
    limited(refused, "integration")
    back = came_back(since, INTEGRATION)
    assert INTEGRATION - ACCOUNT - back <= passed <= INTEGRATION - ACCOUNT + back

    # The other site, by the same integration and app, has quotas of its own.
    there = [
        two.demo.call("GET", "/open/x", base=two.there, token=two.token).status_code
        for _ in range(ACCOUNT)
    ]
    assert set(there) == {200}

    # Another app on the first site too, though the account is the same.
    other = deploy_echo(two.demo)
    limited(until_limited(partial(other.call, "GET", "/open/x")), "account")
    assert other.call("GET", "/open/x", token=other.consent("admin")["access_token"]).is_success


def test_refusals_are_counted_whatever_they_are_for(two: TwoSites) -> None:
    tries = (
        ("GET", "/open/x", "abc.def.ghi"),
        ("OPTIONS", "/open/x", None),
        ("HEAD", "/open/x", None),
        ("DELETE", "/open/x", two.token),
        ("GET", "/nothing", two.app.tokens["access_token"]),
        ("GET", "/open/x", two.token),
    )
    since = time.monotonic()
    answers = [
        two.app.call(method, path, token=token or "none")
        for method, path, token in itertools.islice(itertools.cycle(tries), 60)
    ]
    codes = [answer.status_code for answer in answers]
    assert 429 not in codes[:REFUSED]
    let_in = len(codes) - codes.count(429)
    assert REFUSED <= let_in <= REFUSED + came_back(since, REFUSED)
    last = next(answer for answer in reversed(answers) if answer.status_code == 429)
    limited(last, "refused")
    # Whoever has a good token is not among them, nor is the other site.
    good = two.app.call("GET", "/open/x")
    assert good.status_code == 200
    assert two.demo.call("GET", "/nothing", base=two.there).status_code == 404
    # Such answers are not kept: anybody can make them.
    assert remembered(two, good.headers["atl-request-id"]).status_code == 200
    assert remembered(two, last.json()["decision_id"], tries=1).status_code == 404


def test_a_route_may_tighten_its_limit(two: TwoSites) -> None:
    answers = [two.app.call("GET", f"/tight/{n}") for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1].headers["ratelimit"].startswith('"route";r=0;t=')
    assert answers[1].headers["ratelimit-policy"].endswith(', "route";q=2;w=60')
    limited(answers[2], "route")
    assert two.app.call("GET", "/open/x").status_code == 200
    there = two.demo.call("GET", "/tight/1", base=two.there, token=two.token)
    assert there.status_code == 200


def test_what_came_too_often_is_remembered_in_its_time(two: TwoSites) -> None:
    _, refused = spend(two, two.app.tokens["access_token"])
    found = remembered(two, refused.json()["decision_id"])
    assert found.json()["reason"] == "rate_limited"


def remembered(two: TwoSites, decision_id: str, tries: int = 200) -> httpx.Response:
    """What the platform knows of a call; it learns of it a moment after the answer."""
    admin = two.demo.person("admin")
    for _ in range(tries):
        found = admin.api("GET", f"/decisions/{decision_id}")
        if found.status_code == 200:
            break
    return found
