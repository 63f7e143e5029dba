"""RFC 6750, bearer tokens: how they travel, and how they are refused."""

from __future__ import annotations

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


@pytest.mark.parametrize("value", ["Bearer", "Bearer  x", "Bearer\tx", "Bearer x y", "Basic eDp4"])
def test_section_2_1_what_is_no_bearer_token_is_401(echo: DeployedApp, value: str) -> None:
    assert echo.call("GET", "/open/x", headers={"Authorization": value}).status_code == 401


def test_section_3_1_a_bad_token_is_invalid_token(echo: DeployedApp) -> None:
    answer = echo.call("GET", "/open/x", token="e30.e30.e30")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_section_3_1_too_few_scopes_are_insufficient_scope(echo: DeployedApp) -> None:
    """403, and `scope` says what is needed."""
    token = echo.consent(scope="read:thing:custom read:forge-app:jira")["access_token"]
    answer: httpx.Response = echo.call("POST", "/open/x", token=token, json={})
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert "write:thing:custom" in challenge
