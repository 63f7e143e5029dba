"""`/oauth/token`, `/oauth/revoke`, accessible-resources and metadata. Contract section (f.3)."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from access_world import CALLBACK, JIRA, READ, WRITE, actor, audited
from oauth_world import FULL_SCOPE, Server
from sallyport.store import directory, grants, integrations
from sallyport.tokens.access import verify
from sallyport.vocab.clock import SECOND
from sallyport.vocab.events import Event


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return read


def test_the_response_is_the_contracts(server: Server) -> None:
    answer = server.exchange(server.code())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    namespace = server.world.namespace
    assert body["scope"] == f"{namespace}:{READ} {namespace}:{WRITE} offline_access {JIRA}"
    assert body["refresh_token"].startswith("sprt_")


def test_no_refresh_token_without_offline_access(server: Server) -> None:
    body = server.tokens(scope=f"{READ} {JIRA}")
    assert "refresh_token" not in body
    assert body["scope"] == f"{server.world.namespace}:{READ} {JIRA}"


def test_the_access_token_is_rfc_9068s(server: Server) -> None:
    body = server.tokens()
    token = body["access_token"]
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": server.keys.ring.signing_at(0).kid}
    told = claims(token)
    assert (told["iss"], told["aud"]) == (server.url, server.url)
    assert told["sub"] == server.world.member.id
    assert told["client_id"] == server.world.client_id
    assert told["exp"] - told["iat"] == 3600
    assert told["scope"] == body["scope"]
    assert told["ns"] == server.world.namespace
    verified = verify(server.keys.ring, server.url, token, server.clock.now())
    assert verified.scopes == frozenset(FULL_SCOPE.split())
    assert (verified.grant_id, verified.family_id) == (told["grant"], told["family"])


def test_form_and_json_bodies_both_work(server: Server) -> None:
    world = server.world
    body = {
        "grant_type": "authorization_code",
        "client_id": world.client_id,
        "client_secret": world.secret,
        "code": server.code(),
        "redirect_uri": CALLBACK,
    }
    answer = httpx.post(f"{server.url}/oauth/token", json=body)
    assert answer.status_code == 200, answer.text
    refreshed = httpx.post(
        f"{server.url}/oauth/token",
        json={
            "grant_type": "refresh_token",
            "client_id": world.client_id,
            "client_secret": world.secret,
            "refresh_token": answer.json()["refresh_token"],
        },
    )
    assert refreshed.status_code == 200
    again = server.refresh(refreshed.json()["refresh_token"])
    assert again.status_code == 200


def test_the_client_may_sign_in_by_basic(server: Server) -> None:
    world = server.world
    form = {
        "grant_type": "authorization_code",
        "code": server.code(),
        "redirect_uri": CALLBACK,
    }
    wrong = server.post("/oauth/token", form, auth=(world.client_id, world.rival_secret))
    assert wrong.status_code == 401
    assert wrong.json()["error"] == "invalid_client"
    assert wrong.headers["www-authenticate"].startswith("Basic")
    credentials = (quote(world.client_id, safe=""), quote(world.secret, safe=""))
    assert server.post("/oauth/token", form, auth=credentials).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": None},
        {"client_secret": "spcs_wrong"},
        {"client_secret": "é\u0000"},
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": "00000000-0000-4000-8000-000000000000"},
        {"client_id": "rival"},
    ],
)
def test_who_is_not_the_client_gets_invalid_client_and_spoils_nothing(
    server: Server, changes: dict[str, str | None]
) -> None:
    code = server.code()
    if changes.get("client_id") == "rival":
        changes = {"client_id": server.world.rival.client_id}
    answer = server.exchange(code, **changes)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["cache-control"] == "no-store"
    assert server.exchange(code).status_code == 200


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Bearer x", "Basic w6k6w6k="]
)
def test_credentials_that_cannot_be_read_are_invalid_client(server: Server, header: str) -> None:
    form = {"grant_type": "authorization_code", "code": "x"}
    answer = server.post("/oauth/token", form, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


def test_two_ways_of_signing_in_at_once_are_refused(server: Server) -> None:
    world = server.world
    form = {
        "grant_type": "refresh_token",
        "refresh_token": "x",
        "client_id": world.client_id,
        "client_secret": world.secret,
    }
    answer = server.post("/oauth/token", form, auth=(world.client_id, world.secret))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


RAW = [
    ("application/x-www-form-urlencoded", b"client_id=a&client_id=b", 400),
    ("application/x-www-form-urlencoded", b"grant_type", 400),
    ("application/x-www-form-urlencoded", b"grant_type=%ff", 400),
    ("application/x-www-form-urlencoded", b"\xff=1", 400),
    ("application/x-www-form-urlencoded", b"a=1&" * 100, 400),
    ("application/x-www-form-urlencoded", b"a=" + b"x" * 40_000, 413),
    ("application/json", b'{"client_id":"a","client_id":"b"}', 400),
    ("application/json", b'{"grant_type":["a"]}', 400),
    ("application/json", b'{"grant_type":{"a":"b"}}', 400),
    ("application/json", b'{"client_secret":"\\ud800"}', 400),
    ("application/json", b'["grant_type"]', 400),
    ("application/json", b"[" * 20_000, 400),
    ("application/json", b"\xff", 400),
    ("application/json", b"", 400),
    ("text/plain", b"grant_type=refresh_token", 415),
    ("multipart/form-data; boundary=x", b"--x--", 415),
]


@pytest.mark.parametrize(("media_type", "body", "status"), RAW)
def test_bodies_that_cannot_be_read_get_rfc_6749_json(
    server: Server, media_type: str, body: bytes, status: int
) -> None:
    for path in ("/oauth/token", "/oauth/revoke"):
        answer = httpx.post(server.url + path, content=body, headers={"Content-Type": media_type})
        assert answer.status_code == status, answer.text
        assert answer.json()["error"] == "invalid_request"
        assert answer.headers["cache-control"] == "no-store"


def test_credentials_in_the_address_are_refused(server: Server) -> None:
    answer = server.post(f"/oauth/token?client_secret={server.world.secret}", {"a": "b"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("grant_type", ["password", "implicit", "x"])
def test_other_grant_types_are_not_there(server: Server, grant_type: str) -> None:
    answer = server.token(grant_type=grant_type)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_what_is_missing_is_named(server: Server) -> None:
    for fields in ({}, {"grant_type": "authorization_code"}, {"grant_type": "refresh_token"}):
        answer = server.token(**fields)
        assert answer.json()["error"] == "invalid_request"
        assert answer.json()["error_description"].endswith("is missing.")


def test_every_exchange_is_audited(server: Server) -> None:
    names = (Event.TOKEN_ISSUED, Event.TOKEN_REFRESHED)
    before = server.act(server.world.store.read(audited, *names))
    server.refresh(server.tokens()["refresh_token"])
    after = server.act(server.world.store.read(audited, *names))
    assert after[len(before) :] == ["token:issued", "token:refreshed"]


# ---- revocation


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_revoking_either_token_ends_both(server: Server, kind: str) -> None:
    tokens = server.tokens()
    other = server.tokens()
    answer = server.revoke(tokens[kind], token_type_hint="nonsense")
    assert (answer.status_code, answer.content) == (200, b"")
    assert server.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert server.resources(tokens["access_token"]).status_code == 401
    assert server.resources(other["access_token"]).status_code == 200
    assert server.revoke(tokens[kind]).status_code == 200


def test_unknown_tokens_are_revoked_already(server: Server) -> None:
    for token in ("x", "sprt_x", "a.b.c", "é"):
        assert server.revoke(token).status_code == 200


def test_an_expired_access_token_still_ends_its_family(server: Server) -> None:
    tokens = server.tokens()
    server.clock.advance(3600 * SECOND)
    assert server.revoke(tokens["access_token"]).status_code == 200
    assert server.refresh(tokens["refresh_token"]).status_code == 400


def test_another_client_cannot_revoke(server: Server) -> None:
    world = server.world
    tokens = server.tokens()
    as_rival = {"client_id": world.rival.client_id, "client_secret": world.rival_secret}
    for kind in ("refresh_token", "access_token"):
        answer = server.revoke(tokens[kind], **as_rival)
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert server.refresh(tokens["refresh_token"]).status_code == 200


def test_revoking_needs_the_client(server: Server) -> None:
    answer = server.revoke(server.tokens()["refresh_token"], client_secret="x")
    assert answer.status_code == 401


# ---- accessible-resources


def test_accessible_resources_tells_the_one_site(server: Server) -> None:
    tokens = server.tokens()
    answer = server.resources(tokens["access_token"])
    assert answer.status_code == 200
    (item,) = answer.json()
    assert item.keys() == {"id", "url", "name", "scopes", "avatarUrl"}
    assert (item["id"], item["name"]) == (server.world.site.id, "Acme")
    assert item["url"] == "https://acme.test"
    assert item["scopes"] == tokens["scope"].split()
    assert item["avatarUrl"].startswith("data:image/svg+xml;base64,")


def test_accessible_resources_follows_membership_and_consent(server: Server) -> None:
    world = server.world
    token = server.tokens()["access_token"]
    ids = (world.member.id, world.site.id)
    server.act(world.store.write(directory.end_membership, *ids))
    assert server.resources(token).json() == []
    role = directory.SiteRole.MEMBER
    server.act(world.store.write(directory.set_membership, *ids, role))
    assert len(server.resources(token).json()) == 1
    server.act(world.store.write(grants.end_grant, actor(world.admin), claims(token)["grant"]))
    dead = server.resources(token)
    assert dead.status_code == 401
    assert dead.json()["reason"] == "grant_revoked"
    assert 'error="invalid_token"' in dead.headers["www-authenticate"]


def test_accessible_resources_wants_a_bearer_token(server: Server) -> None:
    url = f"{server.url}/oauth/token/accessible-resources"
    bare = httpx.get(url)
    assert bare.status_code == 401
    assert "error=" not in bare.headers["www-authenticate"]
    assert "resource_metadata=" in bare.headers["www-authenticate"]
    token = server.tokens()["access_token"]
    assert httpx.get(url, params={"access_token": token}).status_code == 401
    for header in ("Bearer", f"Bearer  {token}", f"Bearer\t{token}", f"Basic {token}"):
        assert httpx.get(url, headers={"Authorization": header}).status_code == 401
    server.clock.advance(3600 * SECOND)
    assert server.resources(token).json()["reason"] == "token_expired"


# ---- metadata


def test_the_metadata_says_exactly_what_there_is(server: Server) -> None:
    told = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert told["issuer"] == server.url
    assert told["grant_types_supported"] == [
        "authorization_code",
        "refresh_token",
        "client_credentials",
    ]
    assert told["response_types_supported"] == ["code"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["token_endpoint_auth_methods_supported"][-1] == "none"
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]
    for name, address in told.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert httpx.request("OPTIONS", address).status_code == 405, name
    keys = httpx.get(told["jwks_uri"]).json()["keys"]
    assert [set(each) for each in keys] == [{"kty", "crv", "x", "y", "use", "alg", "kid"}]


def test_protected_resources_are_the_base_urls_of_apps(server: Server) -> None:
    world = server.world
    start = f"{server.url}/.well-known/oauth-protected-resource"
    app = f"{world.app.id}_{world.environment.id}"
    path = f"/svc/jira/{world.site.id}/apps/{app}"
    told = httpx.get(start + path).json()
    assert told["resource"] == server.url + path
    assert told["authorization_servers"] == [server.url]
    assert httpx.get(start).json()["resource"] == server.url
    on_site = f"/gateway/api/svc/jira/apps/{app}"
    told = httpx.get(start + on_site, headers={"Host": "acme.test"}).json()
    assert told["resource"] == "https://acme.test" + on_site
    assert httpx.get(start + on_site, headers={"Host": "evil.test"}).status_code == 404
    for wrong in ("/x", "/svc/jira/x/apps/y", path + "/employees", "//" + path):
        assert httpx.get(start + wrong).status_code == 404


def test_an_integration_that_ended_is_no_client(server: Server) -> None:
    world = server.world
    tokens = server.tokens()
    owner = actor(world.developer)
    server.act(world.store.write(integrations.revoke_integration, owner, world.client_id))
    assert server.refresh(tokens["refresh_token"]).status_code == 401
    assert server.resources(tokens["access_token"]).status_code == 401
