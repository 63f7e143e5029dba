"""RFC 9728, metadata of protected resources: from a refusal to the server that gives tokens."""

from __future__ import annotations

import re

import httpx

from app_world import DeployedApp


def test_section_5_1_a_refusal_leads_to_the_metadata_of_the_resource(echo: DeployedApp) -> None:
    """Section 3.3: `resource` there is the base URL that was called."""
    answer = echo.call("GET", "/open/x", headers={"Authorization": None})
    assert answer.status_code == 401
    found = re.search(r'resource_metadata="([^"]+)"', answer.headers["www-authenticate"])
    assert found is not None
    told = httpx.get(found[1]).json()
    assert told["resource"] == echo.base_url
    assert told["authorization_servers"] == [echo.demo.facts["public_url"]]
    assert told["bearer_methods_supported"] == ["header"]


def test_section_3_1_the_path_of_the_resource_comes_after_the_well_known(
    echo: DeployedApp,
) -> None:
    url = echo.demo.facts["public_url"]
    well_known = f"{url}/.well-known/oauth-protected-resource"
    assert httpx.get(well_known + echo.base_path).json()["resource"] == echo.base_url
    assert httpx.get(well_known).json()["resource"] == url
    assert httpx.get(well_known + "/nothing/here").status_code == 404


def test_section_2_the_authorization_server_is_the_one_that_answers(echo: DeployedApp) -> None:
    url = echo.demo.facts["public_url"]
    told = httpx.get(f"{url}/.well-known/oauth-protected-resource{echo.base_path}").json()
    [server] = told["authorization_servers"]
    found = httpx.get(f"{server}/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == server
    assert told["jwks_uri"] == found["jwks_uri"]
