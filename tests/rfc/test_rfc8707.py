"""RFC 8707, resource indicators: a token can be for one API alone, named by its base URL.

What else a token for one API does not open is in tests/attacks/test_tenants.py.

Planted bugs that these tests were seen to fail on: `aud` always the platform; an API that is not
installed, or of another site's host, taken; the site of the resource not what is offered; the
resource of a code or family not kept, or not compared, or only of codes; of the first of two taken;
a token for an API good at the platform's own endpoint; the gateway not asking, or only whether it
is an API of the platform.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from access_world import CALLBACK, JIRA, READ
from app_world import DeployedApp, claims_of
from demo_world import Demo
from oauth_world import Server, on_page, redirected
from sallyport.model.access import IntegrationLink
from sallyport.model.directory import Actor, Site
from sallyport.store.service_accounts import create_service_account
from sallyport.vocab import ids

NOBODY = Actor(account_id=None, name="a test")


def api_of(server: Server, site: Site | None = None, product: str = "jira", **changes: str) -> str:
    """The base URL of the world's app, by cloud id."""
    world = server.world
    app = changes.get("app") or world.app.id
    environment = changes.get("environment") or world.environment.id
    return f"{server.url}/svc/{product}/{(site or world.site).id}/apps/{app}_{environment}"


def by_host(server: Server, host: str = "") -> str:
    """The base URL of the world's app, on the host of its site."""
    world = server.world
    app = f"{world.app.id}_{world.environment.id}"
    return f"https://{host or world.site.host}/gateway/api/svc/jira/apps/{app}"


def refused(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target"), answer.text
    told: str = answer.json()["error_description"]
    return told


def audience(tokens: dict[str, Any]) -> Any:
    return claims_of(tokens["access_token"])["aud"]


def unknown(server: Server) -> list[str]:
    world = server.world
    return [
        "https://elsewhere.test/api",
        "not a url",
        "",
        server.url + "/oauth/token",
        server.url + "#fragment",
        api_of(server) + "#fragment",
        api_of(server) + "?query=1",
        api_of(server) + "/",
        api_of(server) + "/getEmployeeName",
        api_of(server).replace(server.url, "https://evil.test"),
        api_of(server).replace("127.0.0.1", "evil@127.0.0.1"),
        api_of(server, product="confluence"),
        api_of(server, app=ids.new_id()),
        api_of(server, environment=ids.new_id()),
        api_of(server).replace(world.site.id, ids.new_id()),
        f"{server.url}/svc/jira/{world.site.id}/apps/{world.app.id}",
        by_host(server, "nowhere.test"),
        by_host(server).replace("https", "http"),
    ]


@pytest.mark.parametrize("name", [api_of, by_host])
def test_section_2_the_token_is_for_the_resource_that_was_asked_for(
    server: Server, name: Any
) -> None:
    """Section 2.1: at the authorization endpoint; section 2: both forms of the base URL."""
    resource = name(server)
    tokens = server.tokens(resource=resource)
    assert audience(tokens) == resource
    told = server.introspect(tokens["access_token"]).json()
    assert (told["active"], told["aud"]) == (True, resource)


@pytest.mark.parametrize("slash", ["", "/"])
def test_section_2_the_platform_itself_is_a_resource(server: Server, slash: str) -> None:
    tokens = server.tokens(resource=server.url + slash)
    assert audience(tokens) == server.url


def test_section_2_without_resource_the_token_is_the_platforms(server: Server) -> None:
    """Section 2: the server may have a default."""
    assert audience(server.tokens()) == server.url


def test_section_2_1_unknown_resources_are_refused_when_asked_for(server: Server) -> None:
    """Section 2: an absolute URI without fragment that is known here, or `invalid_target`."""
    for resource in unknown(server):
        told = redirected(server.ask(server.request(resource=resource)))
        assert (told["error"], told["iss"]) == ("invalid_target", server.url), resource
        assert redirected(server.answer(server.request(resource=resource))) == told


def test_section_2_2_unknown_resources_are_refused_at_the_token_endpoint(server: Server) -> None:
    code = server.code()
    for resource in unknown(server):
        refused(server.exchange(code, resource=resource))
    assert server.exchange(code).status_code == 200, "the code must have survived"


def test_section_2_a_token_is_for_one_resource(server: Server) -> None:
    """Section 2: several may be asked for; this server issues tokens for one alone."""
    two = [api_of(server), server.url]
    asked = [*server.request().items(), *(("resource", each) for each in two)]
    assert redirected(server.ask(asked))["error"] == "invalid_target"
    form = {
        "grant_type": "authorization_code",
        "code": server.code(),
        "redirect_uri": CALLBACK,
        "client_id": server.world.client_id,
        "client_secret": server.world.secret,
        "resource": two,
    }
    assert "once" in refused(httpx.post(f"{server.url}/oauth/token", data=form))


def test_section_2_1_only_the_site_of_the_resource_is_offered(server: Server) -> None:
    world = server.world
    here = server.request(resource=api_of(server, world.other_site))
    assert [each["site_id"] for each in server.ask(here).json()["sites"]] == [world.other_site.id]
    assert len(server.ask(server.request()).json()["sites"]) == 2
    assert on_page(server.answer(here, site=world.site.id))["title"] == "Choose a site"
    assert redirected(server.answer(here, site=world.other_site.id))["code"]


def test_section_2_1_the_resource_is_of_the_app_that_is_asked_about(server: Server) -> None:
    world = server.world
    other = api_of(server, environment=world.other_environment.id)
    told = redirected(server.ask(server.request(resource=other)))
    assert told["error"] == "invalid_target"
    told = redirected(server.ask(server.request(resource=other, sns=None)))
    assert told["error"] == "invalid_target"
    assert redirected(server.answer(server.request(resource=api_of(server), sns=None)))["code"]


def test_section_2_2_a_code_is_for_its_resource_or_less(server: Server) -> None:
    """Section 2.2: at the token endpoint a subset of what was authorized, or `invalid_target`."""
    code = server.code(resource=api_of(server))
    for resource in (by_host(server), api_of(server, server.world.other_site), server.url):
        refused(server.exchange(code, resource=resource))
    assert audience(server.exchange(code, resource=api_of(server)).json()) == api_of(server)

    code = server.code()
    refused(server.exchange(code, resource=api_of(server, server.world.other_site)))
    environment = server.world.other_environment.id
    refused(server.exchange(code, resource=api_of(server, environment=environment)))
    assert audience(server.exchange(code, resource=by_host(server)).json()) == by_host(server)


def test_section_2_2_a_refresh_token_is_for_its_resource_or_less(server: Server) -> None:
    tokens = server.tokens(resource=api_of(server))
    refused(server.refresh(tokens["refresh_token"], resource=server.url))
    refused(server.refresh(tokens["refresh_token"], resource=by_host(server)))
    after = server.refresh(tokens["refresh_token"])
    assert audience(after.json()) == api_of(server)
    after = server.refresh(after.json()["refresh_token"], resource=api_of(server))
    assert audience(after.json()) == api_of(server)


def test_section_2_2_each_refresh_may_narrow_anew(server: Server) -> None:
    """Section 2.2: what was not narrowed when it was authorized gives tokens for each in turn."""
    token = server.tokens()["refresh_token"]
    for resource in (api_of(server), by_host(server), server.url, None):
        answer = server.refresh(token, resource=resource)
        assert answer.status_code == 200, answer.text
        assert audience(answer.json()) == (resource or server.url)
        token = answer.json()["refresh_token"]


def test_section_2_2_machines_ask_for_a_resource_too(server: Server) -> None:
    world = server.world
    secret = ids.new_secret(ids.CLIENT_SECRET)
    link: IntegrationLink = world.link(scopes=frozenset({READ}), product_scopes=frozenset({JIRA}))
    made = server.act(
        world.store.write(
            create_service_account, NOBODY, world.admin.id, "Job", link, ids.digest(secret)
        )
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": made.client_id,
        "client_secret": secret,
    }
    assert audience(server.post("/oauth/token", form).json()) == server.url
    answer = server.post("/oauth/token", {**form, "resource": api_of(server)})
    assert audience(answer.json()) == api_of(server)
    other = api_of(server, world.other_site)
    refused(server.post("/oauth/token", {**form, "resource": other}))


def test_section_2_1_a_pushed_request_names_a_resource_too(server: Server) -> None:
    form = {
        **server.request(resource="https://elsewhere.test"),
        "client_secret": server.world.secret,
    }
    refused(server.post("/oauth/par", form))
    form["resource"] = api_of(server)
    pushed = server.post("/oauth/par", form).json()
    asked = {"client_id": server.world.client_id, "request_uri": pushed["request_uri"]}
    mine = dict(httpx.URL(server.ask(asked).headers["location"]).params)
    code = redirected(server.answer(mine))["code"]
    assert audience(server.exchange(code).json()) == api_of(server)


def test_section_2_a_token_for_an_api_is_none_for_the_platform(server: Server) -> None:
    """Section 2; RFC 9068 section 4: who is not in `aud` refuses the token."""
    tokens = server.tokens(resource=api_of(server))
    answer = server.resources(tokens["access_token"])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert server.resources(server.tokens(resource=server.url)["access_token"]).status_code == 200


def test_section_2_a_token_for_one_api_is_refused_at_another(demo: Demo, echo: DeployedApp) -> None:
    """At the gateway: by either form of its own base URL it is taken, by no other API's."""
    mine = echo.exchange(
        grant_type="refresh_token",
        refresh_token=echo.consent()["refresh_token"],
        resource=echo.base_url,
    )
    token = mine["access_token"]
    assert claims_of(token)["aud"] == echo.base_url
    assert echo.call("GET", "/open/x", token=token).status_code == 200
    on_host = f"{demo.facts['public_url']}/gateway/api/svc/jira/apps/{echo.base_url[-73:]}/open/x"
    headers = {"Authorization": f"Bearer {token}", "Host": demo.site_host}
    assert httpx.get(on_host, headers=headers).status_code == 200
    answer = demo.call("GET", "/getEmployeeName?id=1", token=token)
    assert answer.status_code == 401
    assert answer.json()["reason"] == "token_for_other_api"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
