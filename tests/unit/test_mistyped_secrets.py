"""A mistyped secret is refused without a look into the database, wherever one is presented.

One that is not mistyped is looked for at the same place, which shows that it is the checksum, or
the signature, that spares the look. Planted bugs that these tests were seen to fail on: the
checksum compared nowhere; each of the places below without its check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from test_secret_formats import PREFIXES

from sallyport.control.services import Services
from sallyport.control.setup import claim
from sallyport.gateway.webtrigger import WebTriggers
from sallyport.model.access import Grant
from sallyport.model.redemption import CodeOffer, Denial, RefreshOffer
from sallyport.oauth import OAuth
from sallyport.oauth.asking import KNOWN, REQUEST_URI, Asking, Stop, as_pushed
from sallyport.oauth.client_auth import authenticate_client
from sallyport.oauth.errors import OAuthError
from sallyport.oauth.introspect import introspect
from sallyport.oauth.parameters import Parameters
from sallyport.oauth.revoke import revoke
from sallyport.store.client_secrets import live_secret_digests
from sallyport.tokens import api_tokens, sessions
from sallyport.tokens.access import mint
from sallyport.tokens.codes import redeem
from sallyport.tokens.keys import KeyRing, Keys, new_signing_key
from sallyport.tokens.policy import TokenPolicy
from sallyport.tokens.refresh import rotate
from sallyport.vocab import ids
from sallyport.vocab.clock import HOUR, ManualClock
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.message import Asked

ISSUER = "https://x.test"
KEYS = Keys(KeyRing((new_signing_key(),)))
CLIENT_ID, CLIENT_SECRET = ids.new_id(), ids.new_secret(ids.CLIENT_SECRET)
ACCESS_TOKEN = "access token"

Present = Callable[[Any, str], Awaitable[object]]


class Looked(BaseException):
    """The database was asked; nothing on the way takes it for a failure of its own."""


class Store:
    """A database that knows the secret of one client and tells who asks for anything else."""

    clock = ManualClock()
    now = clock.now()

    async def read(self, ask: object, *about: object) -> tuple[str, ...]:
        if (ask, *about) == (live_secret_digests, CLIENT_ID):
            return (ids.digest(CLIENT_SECRET),)
        raise Looked

    async def write(self, *_: object) -> None:
        raise Looked

    first = write


async def at_the_token_endpoint(store: Any, secret: str) -> None:
    fields = [("client_id", ids.new_id()), ("client_secret", secret)]
    parameters = Parameters(fields, frozenset({"client_id", "client_secret"}))
    asked = Asked("POST", "/oauth/token", b"", [], "")
    with pytest.raises(OAuthError, match="not right"):
        await authenticate_client(oauth(store), asked, parameters)


async def as_a_code(store: Any, code: str) -> None:
    offer = CodeOffer(ids.new_id(), None, None)
    assert isinstance(await redeem(store, TokenPolicy(), code, offer, None), Denial)


async def as_a_refresh_token(store: Any, token: str) -> None:
    offer = RefreshOffer(ids.new_id(), None)
    assert isinstance(await rotate(store, TokenPolicy(), token, offer, None), Denial)


async def to_be_revoked(store: Any, token: str) -> None:
    assert (await revoke(oauth(store), *about(token, "/oauth/revoke"))).status == 200


async def to_be_introspected(store: Any, token: str) -> None:
    told = await introspect(oauth(store), *about(token, "/oauth/introspect"))
    assert (told.status, told.body) == (200, b'{"active":false}')


async def as_an_api_token(store: Any, token: str) -> None:
    assert await api_tokens.account_of(store, token) is None


async def as_a_cookie(store: Any, cookie: str) -> None:
    assert await sessions.account_of(store, cookie) is None


async def as_a_setup_link(store: Any, token: str) -> None:
    services = Services(store, ISSUER, Path(), cast(Any, None))
    with pytest.raises(Refused) as refusal:
        await claim(services, token, "a@a.test", "A", "correct horse battery")
    assert refusal.value.reason is Reason.NOT_ALLOWED


async def as_a_pushed_request(store: Any, handle: str) -> None:
    fields = [("client_id", CLIENT_ID), ("request_uri", REQUEST_URI + handle)]
    with pytest.raises(Stop, match="used before, has expired, or is not"):
        await as_pushed(oauth(store), Asking(Parameters(fields, KNOWN)))


async def as_a_web_trigger(store: Any, secret: str) -> None:
    nothing = cast(Any, None)
    policy = cast(Any, type("Policy", (), {"public_url": ISSUER}))
    path = f"/webtrigger/{secret}"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"x.test")],
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await WebTriggers(store, nothing, policy, nothing, nothing, nothing)(scope, nothing, send)
    assert sent[0]["status"] == 404


PRESENTED: tuple[tuple[str, Present], ...] = (
    (ids.CLIENT_SECRET, at_the_token_endpoint),
    (ids.AUTHORIZATION_CODE, as_a_code),
    (ids.REFRESH_TOKEN, as_a_refresh_token),
    (ids.REFRESH_TOKEN, to_be_revoked),
    (ids.REFRESH_TOKEN, to_be_introspected),
    (ACCESS_TOKEN, to_be_revoked),
    (ACCESS_TOKEN, to_be_introspected),
    (ids.API_TOKEN, as_an_api_token),
    (ids.SESSION, as_a_cookie),
    (ids.SETUP_LINK, as_a_setup_link),
    (ids.PUSHED_REQUEST, as_a_pushed_request),
    (ids.OPENED_REQUEST, as_a_pushed_request),
    (ids.WEB_TRIGGER, as_a_web_trigger),
)


def oauth(store: Any) -> OAuth:
    return OAuth(store, KEYS, ISSUER, cast(Any, None), str)


def about(token: str, path: str) -> tuple[Asked, bytes]:
    """A request of the client that the store knows."""
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "token": token}
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    return Asked("POST", path, b"", headers, ""), urlencode(form).encode()


def new(kind: str) -> str:
    if kind != ACCESS_TOKEN:
        return ids.new_secret(kind)
    now = Store.clock.now()
    whose = (ids.new_id(), CLIENT_ID, *(ids.new_id() for _ in range(4)))
    grant = Grant(*whose, scopes=frozenset({"read:x:custom"}), created_at=now, revoked_at=None)
    return mint(KEYS.ring, ISSUER, grant, ids.new_id(), grant.scopes, now, now + HOUR)


def mistyped(secret: str) -> str:
    """With one other character, in the random part or in the signature."""
    at = len(secret) - 20
    return secret[:at] + ("b" if secret[at] == "a" else "a") + secret[at + 1 :]


def test_every_kind_is_presented() -> None:
    assert {kind for kind, _ in PRESENTED} == {*PREFIXES, ACCESS_TOKEN}


@pytest.mark.parametrize(("kind", "present"), PRESENTED)
def test_a_mistyped_secret_is_refused_without_a_lookup(kind: str, present: Present) -> None:
    async def refuse() -> None:
        await present(Store(), mistyped(new(kind)))

    asyncio.run(refuse())


@pytest.mark.parametrize(("kind", "present"), PRESENTED)
def test_one_that_is_not_is_looked_for(kind: str, present: Present) -> None:
    async def look() -> None:
        await present(Store(), new(kind))

    with pytest.raises(Looked):
        asyncio.run(look())
