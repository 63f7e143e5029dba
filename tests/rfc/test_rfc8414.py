"""RFC 8414, metadata of the authorization server: exactly what there is."""

from __future__ import annotations

from typing import Any

import httpx

from oauth_world import Server


def metadata(server: Server) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/.well-known/oauth-authorization-server")
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def test_section_3_3_the_issuer_is_where_it_was_fetched_from(server: Server) -> None:
    assert metadata(server)["issuer"] == server.url


def test_section_2_every_endpoint_that_is_named_is_there(server: Server) -> None:
    for name, url in metadata(server).items():
        if name.endswith("_endpoint"):
            assert url.startswith(server.url + "/"), name
            method = "GET" if name == "authorization_endpoint" else "POST"
            assert httpx.request(method, url).status_code in (400, 401, 415), name


def test_section_2_what_is_supported_is_told_and_nothing_else(server: Server) -> None:
    told = metadata(server)
    assert told["response_types_supported"] == ["code"]
    assert told["response_modes_supported"] == ["query"]
    assert set(told["grant_types_supported"]) == {
        "authorization_code",
        "refresh_token",
        "client_credentials",
    }
    assert told["code_challenge_methods_supported"] == ["S256"]
    methods = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
    assert set(told["token_endpoint_auth_methods_supported"]) == methods
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]


def test_section_2_the_keys_are_at_jwks_uri(server: Server) -> None:
    keys = httpx.get(metadata(server)["jwks_uri"]).json()["keys"]
    assert keys
    for key in keys:
        assert (key["kty"], key["alg"], key["use"]) == ("EC", "ES256", "sig")
        assert key["kid"]
        assert "d" not in key


def test_section_3_2_the_answer_is_json(server: Server) -> None:
    answer = httpx.get(f"{server.url}/.well-known/oauth-authorization-server")
    assert answer.headers["content-type"].startswith("application/json")
