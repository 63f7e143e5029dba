"""RFC 9068, access tokens as JWTs. What is refused of them is in tests/attacks/test_jwt.py."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from app_world import claims_of
from oauth_world import Server


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return header


def test_section_2_1_the_type_is_at_jwt_and_it_is_signed(server: Server) -> None:
    """By an asymmetric key of the published set, named by `kid`; never `none`."""
    token = server.tokens()["access_token"]
    header = header_of(token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    keys = httpx.get(f"{server.url}/.well-known/jwks.json").json()
    assert header["kid"] in [each["kid"] for each in keys["keys"]]
    assert jwt.decode(token, KeySet.import_key_set(keys)).claims == claims_of(token)


def test_section_2_2_the_claims_are_all_there(server: Server) -> None:
    world = server.world
    tokens = server.tokens()
    claims = claims_of(tokens["access_token"])
    assert claims["iss"] == claims["aud"] == server.url
    assert (claims["sub"], claims["client_id"]) == (world.member.id, world.client_id)
    assert claims["exp"] - claims["iat"] == tokens["expires_in"]
    assert claims["jti"] != claims_of(server.tokens()["access_token"])["jti"]


def test_section_2_2_3_the_scope_is_the_one_of_the_answer(server: Server) -> None:
    tokens = server.tokens()
    assert claims_of(tokens["access_token"])["scope"] == tokens["scope"]


def test_section_4_another_type_of_token_is_none(server: Server) -> None:
    tokens = server.tokens()
    assert server.resources(tokens["refresh_token"]).status_code == 401
    assert server.resources(server.code()).status_code == 401
    assert server.resources(tokens["access_token"]).status_code == 200
