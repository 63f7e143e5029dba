"""RFC 9728, metadata of protected resources: from a refusal to the server that gives tokens.

Planted bugs that these tests were seen to fail on: `resource` always the platform, after the Host
header, or the platform's where a site's host was called; an answer for what is no API, or for a
host that is no site's; no link to the metadata, one to the platform's, or one only where no token
came; the authorization server with a slash; tokens told to be taken from the query.
"""

from __future__ import annotations

import re

import httpx
import pytest

from app_world import DeployedApp


@pytest.mark.parametrize("authorization", [None, "Bearer e30.e30.e30", "Basic eDp4"])
def test_section_5_1_a_refusal_leads_to_the_metadata_of_the_resource(
    echo: DeployedApp, authorization: str | None
) -> None:
    """Section 3.3: `resource` there is the base URL that was called."""
    answer = echo.call("GET", "/open/x", headers={"Authorization": authorization})
    assert answer.status_code == 401
    found = re.search(r'resource_metadata="([^"]+)"', answer.headers["www-authenticate"])
    assert found is not None
    metadata = httpx.get(found[1])
    assert metadata.headers["content-type"] == "application/json"
    told = metadata.json()
    assert told["resource"] == echo.base_url
    assert told["authorization_servers"] == [echo.demo.facts["public_url"]]
    assert told["bearer_methods_supported"] == ["header"]
    assert told["dpop_bound_access_tokens_required"] is False


def test_section_3_1_the_path_of_the_resource_comes_after_the_well_known(
    echo: DeployedApp,
) -> None:
    url = echo.demo.facts["public_url"]
    well_known = f"{url}/.well-known/oauth-protected-resource"
    assert httpx.get(well_known + echo.base_path).json()["resource"] == echo.base_url
    assert httpx.get(well_known).json()["resource"] == url
    for path in ("/nothing/here", f"{echo.base_path}/open/x"):
        assert httpx.get(well_known + path).status_code == 404


def test_section_3_3_the_resource_is_where_it_is_called_and_not_what_a_host_header_says(
    echo: DeployedApp,
) -> None:
    """By the cloud id at the platform's address; by the host at that of a site that there is."""
    url, site_url = echo.demo.facts["public_url"], echo.demo.facts["site_url"]
    well_known = f"{url}/.well-known/oauth-protected-resource"
    by_host = f"/gateway/api/svc/jira/apps/{echo.app_id}_{echo.environment_id}"
    at_site = httpx.get(well_known + by_host, headers={"Host": echo.demo.site_host})
    assert at_site.json()["resource"] == site_url + by_host
    elsewhere = {"Host": "elsewhere.test"}
    told = httpx.get(well_known + echo.base_path, headers=elsewhere).json()
    assert told["resource"] == echo.base_url
    assert httpx.get(well_known + by_host, headers=elsewhere).status_code == 404


def test_section_2_the_authorization_server_is_the_one_that_answers(echo: DeployedApp) -> None:
    url = echo.demo.facts["public_url"]
    told = httpx.get(f"{url}/.well-known/oauth-protected-resource{echo.base_path}").json()
    [server] = told["authorization_servers"]
    found = httpx.get(f"{server}/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == server
    assert told["jwks_uri"] == found["jwks_uri"]
