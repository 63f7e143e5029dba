"""RFC 9068, access tokens as JWTs. What else is refused of them is in tests/attacks/test_jwt.py.

Planted bugs that these tests were seen to fail on: `typ` JWT, or not looked at; `iss`, `aud`, `exp`
or the signature not looked at; a token for an API taken for the platform's own; `aud` the client,
`sub` the client, `exp` in milliseconds; `iat`, `client_id` or `kid` left out; `jti` the grant's or
the family's, or not asked for; the scopes without their namespace, or all that was ever consented.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from access_world import JIRA, READ
from app_world import claims_of
from oauth_world import Server
from sallyport.tokens.keys import new_signing_key
from sallyport.vocab.clock import SECOND

_ID = "00000000-0000-4000-8000-000000000000"
API = f"https://elsewhere.test/svc/jira/{_ID}/apps/{_ID}"


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return header


def resigned(server: Server, token: str, **changes: Any) -> str:
    """The token with other claims or another `typ`, signed by the platform's own key; ... drops."""
    typ = changes.pop("typ", "at+jwt")
    claims = {**claims_of(token), **changes}
    key = server.keys.ring.signing_at(server.clock.now())
    return key.write(typ, {name: value for name, value in claims.items() if value is not ...})


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
    again = server.refresh(tokens["refresh_token"]).json()
    assert claims["jti"] != claims_of(again["access_token"])["jti"]


def test_section_2_2_3_the_scope_is_the_one_of_the_answer(server: Server) -> None:
    """Also where it is less than what the account has consented to."""
    tokens = server.tokens()
    fewer = server.tokens(scope=f"{READ} {JIRA}")
    for each in (tokens, fewer):
        assert claims_of(each["access_token"])["scope"] == each["scope"]
    assert set(fewer["scope"].split()) < set(tokens["scope"].split())


def test_section_4_another_type_of_token_is_none(server: Server) -> None:
    tokens = server.tokens()
    assert server.resources(tokens["refresh_token"]).status_code == 401
    assert server.resources(server.code()).status_code == 401
    assert server.resources(tokens["access_token"]).status_code == 200


@pytest.mark.parametrize("typ", ["JWT", "jwt", "dpop+jwt", "at+JWT"])
def test_section_4_the_type_is_looked_at(server: Server, typ: str) -> None:
    token = server.tokens()["access_token"]
    assert server.resources(resigned(server, token)).status_code == 200
    assert server.resources(resigned(server, token, typ=typ)).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.test"},
        {"aud": "https://elsewhere.test"},
        {"aud": ["https://elsewhere.test"]},
        {"aud": API},
        *({name: ...} for name in ("iss", "aud", "exp", "sub", "client_id", "jti", "scope")),
    ],
    ids=str,
)
def test_section_4_issuer_audience_and_the_rest_are_looked_at(
    server: Server, changes: dict[str, Any]
) -> None:
    """A claim that is missing is as bad as a wrong one (section 2.2)."""
    token = resigned(server, server.tokens()["access_token"], **changes)
    assert server.resources(token).status_code == 401


def test_section_4_the_signature_is_looked_at(server: Server) -> None:
    token = server.tokens()["access_token"]
    signed, _, _ = token.rpartition(".")
    forged = new_signing_key().write("at+jwt", claims_of(token)).rpartition(".")[2]
    assert server.resources(f"{signed}.{forged}").status_code == 401


def test_section_4_an_access_token_ends(server: Server) -> None:
    tokens = server.tokens()
    server.clock.advance(tokens["expires_in"] * SECOND - 1)
    assert server.resources(tokens["access_token"]).status_code == 200
    server.clock.advance(1)
    assert server.resources(tokens["access_token"]).status_code == 401
