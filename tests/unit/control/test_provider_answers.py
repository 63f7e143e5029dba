"""The identity provider's answers are untrusted: addresses, sizes, and how often keys are asked.

Planted bugs that these tests were seen to fail on: any address taken from the metadata; another
issuer's metadata; redirects followed; an endless answer read; keys asked for at every unknown key.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sallyport.control.provider import (
    LARGEST_ANSWER,
    Provider,
    ProviderConfig,
    ProviderFailed,
    may_be_asked,
)
from sallyport.model.claims import ClaimMapping


class Hostile:
    """A provider that answers as it is told; `asked` is what was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                answer = outer.answers.get(self.path, b"")
                if isinstance(answer, str):
                    self.send_response(302)
                    self.send_header("Location", answer)
                    self.end_headers()
                    return
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.answers["/.well-known/openid-configuration"] = self.metadata()
        self.answers["/jwks"] = {"keys": []}

    def metadata(self, **changes: Any) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            **changes,
        }

    def provider(self) -> Provider:
        config = ProviderConfig(self.issuer, "c", "s", "openid", "Idp", ClaimMapping())
        return Provider(config)


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    made = Hostile()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def go(provider: Provider) -> str:
    return asyncio.run(provider.authorization_url("http://x/cb", "s", "n", "c", anew=False))


def claims(provider: Provider) -> Any:
    return asyncio.run(provider.claims_for("code", "verifier", "http://x/cb", "nonce", 0))


def test_what_the_metadata_says_is_used(hostile: Hostile) -> None:
    assert go(hostile.provider()).startswith(f"{hostile.issuer}/auth?")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 50_000,
        {"padding": "x" * LARGEST_ANSWER},
        {"issuer": "https://other.test"},
        "/elsewhere",
    ],
    ids=lambda answer: str(answer)[:20],
)
def test_metadata_that_is_none_is_refused(hostile: Hostile, answer: Any) -> None:
    hostile.answers["/elsewhere"] = hostile.metadata()
    if isinstance(answer, dict):
        answer = hostile.metadata(**answer)
    hostile.answers["/.well-known/openid-configuration"] = answer
    with pytest.raises(ProviderFailed):
        go(hostile.provider())
    assert "/elsewhere" not in hostile.asked


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", ["file:///etc/passwd", "javascript:1", "http://10.0.0.1/", 7])
def test_no_address_is_taken_that_may_not_be_asked(hostile: Hostile, name: str, value: Any) -> None:
    metadata = hostile.metadata(**{name: value})
    hostile.answers["/.well-known/openid-configuration"] = metadata
    with pytest.raises(ProviderFailed, match=name):
        go(hostile.provider())


def test_which_addresses_may_be_asked() -> None:
    issuer = "https://idp.test"
    assert may_be_asked("https://keys.idp.test/jwks", issuer)
    others = ("http://idp.test/", "http://127.0.0.1/", "https://a@idp.test/", "https://", "x")
    for address in others:
        assert not may_be_asked(address, issuer)
    assert may_be_asked("http://localhost:1/jwks", "http://127.0.0.1:1")
    assert not may_be_asked("http://idp.test/jwks", "http://127.0.0.1:1")


def test_keys_are_not_asked_for_at_every_unknown_key(hostile: Hostile) -> None:
    head = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ"
    hostile.answers["/token"] = {"id_token": f"{head}.e30.AAAA"}
    provider = hostile.provider()
    for _ in range(5):
        with pytest.raises(ProviderFailed, match="hold none"):
            claims(provider)
    assert hostile.asked.count("/jwks") == 1


@pytest.mark.parametrize("tokens", [{}, {"id_token": 7}, {"id_token": "x"}, b"{}"], ids=str)
def test_a_token_answer_without_an_id_token_proves_nothing(hostile: Hostile, tokens: Any) -> None:
    hostile.answers["/token"] = tokens
    with pytest.raises(ProviderFailed):
        claims(hostile.provider())
