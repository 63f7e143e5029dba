"""RFC 8414, metadata of the authorization server: exactly what there is.

Planted bugs that these tests were seen to fail on: the issuer with a slash, or from the Host
header; a grant type, response type or mode, challenge method or way of authentication that is not
there, at any endpoint; an endpoint left out, or named where it is not; request objects told as
supported, or `request_uri` not told of; `jwks_uri` left out or elsewhere; keys without `kid` or
`use`, or with their private part; another media type.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from oauth_world import Server


def metadata(server: Server) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/.well-known/oauth-authorization-server")
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def test_section_3_3_the_issuer_is_where_it_was_fetched_from(server: Server) -> None:
    """As the operator configured it, whatever host a request names."""
    assert metadata(server)["issuer"] == server.url
    url = f"{server.url}/.well-known/oauth-authorization-server"
    answer = httpx.get(url, headers={"Host": "evil.test", "X-Forwarded-Host": "evil.test"})
    assert answer.json() == metadata(server)


def test_section_2_every_endpoint_is_named_and_there(server: Server) -> None:
    told = metadata(server)
    endpoints = {
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "pushed_authorization_request_endpoint",
    }
    assert {name for name in told if name.endswith("_endpoint")} == endpoints
    for name in endpoints:
        assert told[name].startswith(server.url + "/"), name
        method = "GET" if name == "authorization_endpoint" else "POST"
        assert httpx.request(method, told[name]).status_code in (400, 401, 415), name


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
    assert told["request_parameter_supported"] is False
    assert told["request_uri_parameter_supported"] is False, "left out, it would mean true"


@pytest.mark.parametrize("endpoint", ["token", "revocation", "introspection"])
def test_section_2_the_ways_of_client_authentication_are_told(
    server: Server, endpoint: str
) -> None:
    """Those of a key, and their algorithms, are in tests/rfc/test_rfc7523.py."""
    methods = {"client_secret_basic", "client_secret_post", "private_key_jwt"}
    if endpoint != "introspection":
        methods |= {"none"}
    assert set(metadata(server)[f"{endpoint}_endpoint_auth_methods_supported"]) == methods


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
