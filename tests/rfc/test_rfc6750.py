"""RFC 6750, bearer tokens: how they travel, and how they are refused.

Planted bugs that these tests were seen to fail on: a token taken from the query; the scheme in one
case alone; any white space after it; the first of two headers taken; a challenge without `scope`,
with the scopes that are there for those that are needed, or without `error`; an error told to who
sent no token; `insufficient_scope` as `invalid_token`, at 401, or without a challenge; a bad token
at 403, a malformed one at 400.
"""

from __future__ import annotations

import re

import httpx
import pytest

from app_world import DeployedApp


def test_section_2_1_the_authorization_header_is_taken(echo: DeployedApp) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {echo.tokens['access_token']}"}
        assert echo.call("GET", "/open/x", headers=headers).status_code == 200


def test_section_2_2_and_2_3_body_and_query_are_not(echo: DeployedApp) -> None:
    """OAuth 2.1 section 5.1: never in the query."""
    token = echo.tokens["access_token"]
    bare = {"Authorization": None}
    answer = echo.call("GET", f"/open/x?access_token={token}", headers=bare)
    assert answer.status_code == 401
    answer = echo.call("POST", "/open/x", headers=bare, data={"access_token": token})
    assert answer.status_code == 401


def test_section_3_without_credentials_no_error_is_told(echo: DeployedApp) -> None:
    answer = echo.call("GET", "/open/x", headers={"Authorization": None})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert "error=" not in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer  {}", "Bearer\t{}", "Bearer {} x", "Bearer {},x", "{}", "Basic {}"]
)
def test_section_2_1_what_is_no_bearer_token_is_401(echo: DeployedApp, value: str) -> None:
    """Also where a token that is good can be seen in it."""
    value = value.format(echo.tokens["access_token"])
    assert echo.call("GET", "/open/x", headers={"Authorization": value}).status_code == 401


def test_section_2_a_token_comes_once(echo: DeployedApp) -> None:
    header = ("Authorization", f"Bearer {echo.tokens['access_token']}")
    url = f"{echo.base_url}/open/x"
    assert httpx.get(url, headers=[header]).status_code == 200
    assert httpx.get(url, headers=[header, header]).status_code == 401


def test_section_3_1_a_bad_token_is_invalid_token(echo: DeployedApp) -> None:
    answer = echo.call("GET", "/open/x", token="e30.e30.e30")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("scope", "method"),
    [("read:thing:custom read:forge-app:jira", "POST"), ("read:thing:custom", "GET")],
)
def test_section_3_1_too_few_scopes_are_insufficient_scope(
    echo: DeployedApp, scope: str, method: str
) -> None:
    """403, and `scope` says what is needed, the product's too."""
    token = echo.consent(scope=scope)["access_token"]
    answer: httpx.Response = echo.call(method, "/open/x", token=token)
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert 'error="insufficient_scope"' in challenge
    found = re.search(r'[ ,]scope="([^"]+)"', challenge)
    assert found is not None
    assert set(found[1].split()) == set(answer.json()["required_scopes"])
    assert set(found[1].split()) - set(scope.split())
