"""A small product beside Sallyport: it lets in whom the platform's token names.

    python fake_product.py --issuer http://localhost:8440 --port 8450
    sallyport operator products change jira --upstream http://localhost:8450

Its four endpoints are shaped like Jira's. `verified` is what every product has to do with the
platform's token; docs/reference/product-apis.md says why for each line.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.request
from typing import Any
from urllib.parse import quote

import uvicorn
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

KEYS_LAST_S = 300
CLOCK_SKEW_S = 5


class Tokens:
    """Verifies the platform's tokens. `audience` is this product's own origin."""

    def __init__(self, issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._used: dict[str, float] = {}

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that the platform signed for us within the last minute.

        Raises `ValueError` for any other.
        """
        try:
            found = jwt.decode(token, self._key_set(), algorithms=["ES256"])
        except (JoseError, ValueError) as error:
            raise ValueError(f"the signature is not the platform's: {error}") from None
        claims, now = found.claims, time.time()
        if found.header.get("typ") != "sallyport-app+jwt":
            raise ValueError("this is no token for a product")
        if claims.get("iss") != self._issuer or claims.get("aud") != self._audience:
            raise ValueError("the token is not from our platform, or not for us")
        if not claims["iat"] - CLOCK_SKEW_S <= now < claims["exp"] + CLOCK_SKEW_S:
            raise ValueError("the token has ended, or has not begun")
        self._use(str(claims["jti"]), float(claims["exp"]), now)
        return claims

    def _use(self, jti: str, ends: float, now: float) -> None:
        """A token is for one request: one that comes again was stolen."""
        self._used = {each: at for each, at in self._used.items() if at + CLOCK_SKEW_S > now}
        if jti in self._used:
            raise ValueError("the token was used before")
        self._used[jti] = ends

    def _key_set(self) -> KeySet:
        if self._keys is None or time.monotonic() - self._fetched_at > KEYS_LAST_S:
            with urllib.request.urlopen(f"{self._issuer}/.well-known/jwks.json") as answer:
                self._keys = KeySet.import_key_set(json.load(answer))
            self._fetched_at = time.monotonic()
        return self._keys


def fake_product(tokens: Tokens) -> Starlette:
    """The product: issues of each site, kept in memory."""
    issues: dict[str, dict[str, dict[str, Any]]] = {}

    def caller(request: Request, scope: str | None = None) -> dict[str, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise ValueError("there is no bearer token")
            claims = tokens.verified(token)
        except ValueError as error:
            raise HTTPException(401, str(error)) from None
        if scope is not None and scope not in str(claims["scope"]).split():
            raise HTTPException(403, f"the app lacks the scope {scope}")
        return claims

    def myself(request: Request) -> Response:
        claims = caller(request)
        kind = "app" if claims["account"] is None else "atlassian"
        return JSONResponse({"accountId": claims["sub"], "accountType": kind})

    async def create_issue(request: Request) -> Response:
        claims = caller(request, "write:jira-work")
        fields = (await request.json())["fields"]
        here = issues.setdefault(str(claims["site"]), {})
        key = f"FAKE-{len(here) + 1}"
        here[key] = {"key": key, "fields": {**fields, "creator": {"accountId": claims["sub"]}}}
        return JSONResponse({"id": str(len(here)), "key": key}, 201)

    def get_issue(request: Request) -> Response:
        claims = caller(request, "read:jira-work")
        found = issues.get(str(claims["site"]), {}).get(request.path_params["key"])
        if found is None:
            return JSONResponse({"errorMessages": ["Issue does not exist"]}, 404)
        return JSONResponse(found)

    def token(request: Request) -> Response:
        """What the request came with, for those who write a product."""
        claims = caller(request)
        raw = request.headers["authorization"].partition(" ")[2]
        return JSONResponse({"claims": claims, "headers": dict(request.headers), "token": raw})

    def moved(request: Request) -> Response:
        caller(request)
        return RedirectResponse(f"/rest/api/3/issue/{quote(request.query_params['to'])}")

    return Starlette(
        routes=[
            Route("/rest/api/3/myself", myself),
            Route("/rest/api/3/issue", create_issue, methods=["POST"]),
            Route("/rest/api/3/issue/{key}", get_issue),
            Route("/rest/api/3/moved", moved),
            Route("/token", token),
        ]
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--issuer", required=True, help="The platform's public URL.")
    arguments.add_argument("--port", type=int, default=8450)
    arguments.add_argument("--origin", help="This product's origin, as the upstream is declared.")
    given = arguments.parse_args()
    origin = given.origin or f"http://localhost:{given.port}"
    uvicorn.run(fake_product(Tokens(given.issuer, origin)), port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
