"""T-SSRF: what app code fetches is a declared host at an address that was checked, and no more.

The servers are real and listen on 127.0.0.x, which stands for a public network where a test says
so. Planted bugs that these tests were seen to fail on: connecting to the name after checking it;
following redirects unchecked; counting only the announced length.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sallyport.capabilities.fetch import Fetch
from sallyport.capabilities.sending import Sender
from sallyport.capabilities.serve import Capabilities
from sallyport.model.decision import LogLine
from sallyport.runtime import frames
from sallyport.runtime.call import Invocation, Permissions, Target
from sallyport.runtime.running import RunningCall
from sallyport.vocab.clock import SystemClock
from sallyport.vocab.urls import Address

SOME = ipaddress.ip_network("127.0.0.2/32")
DECLARED = ("http://good.example", "http://also.example", "*", "http://*")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(text: str, seen: list[bytes] | None = None) -> Serve:
    """A server that answers every request with these bytes, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        writer.write(text.encode())
        await writer.drain()
        writer.close()

    return serve


def plain(body: str, status: str = "200 OK", *headers: str) -> str:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join(lines) + "\r\n\r\n" + body


class Names:
    """A name server: each name has a list of answers, the last of which stays."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[Address]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError("no such name")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [ipaddress.ip_address(each) for each in found.split()]


class Fetcher:
    """One running call that fetches."""

    def __init__(
        self,
        names: Names,
        *,
        declared: tuple[str, ...] = DECLARED,
        timeout_ms: int = 20_000,
        tls: ssl.SSLContext | None = None,
        allowed: Any = (SOME,),
    ) -> None:
        target = Target("i", "s", "e", Path("/"), (), permissions=Permissions(fetch=declared))
        call = Invocation("id", "trace", "f", "index.f", {}, b"", {"product": "jira"}, timeout_ms)
        self.lines: list[LogLine] = []
        self.running = RunningCall(target, call, SystemClock(), self.lines.append)
        self.running.begin(time.monotonic())
        self.sender = Sender(checked=allowed, resolve=names, tls=tls)
        self.handle = Capabilities(None, {"fetch": Fetch(self.sender)}).handle  # type: ignore[arg-type]

    async def __call__(self, url: str, **more: Any) -> dict[str, Any]:
        """Status, headers and body; for a refusal its code and message too."""
        ask = {"capability": "fetch", "method": "GET", "path": url, **more}
        content = ask.pop("content", b"")
        pieces = frames.encode_parts(9, 1, json.dumps(ask).encode(), content)
        payload = b"".join(pieces)[frames.HEAD_SIZE :]
        header, body = await self.handle(self.running, payload)
        found: dict[str, Any] = json.loads(header)
        found["headers"] = dict(found["headers"])
        found["body"] = body.decode()
        if "forge-proxy-error" in found["headers"]:
            found.update(json.loads(body))
        return found


def attack(names: Names, scenario: Callable[..., Awaitable[None]], **options: Any) -> None:
    """Play `scenario(fetch, serve)`; `serve(handler, address)` starts a server, gives its port."""

    async def go() -> None:
        fetch, servers = Fetcher(names, **options), []

        async def serve(handler: Serve, address: str = "127.0.0.2", **more: Any) -> int:
            server = await asyncio.start_server(handler, address, 0, **more)
            servers.append(server)
            return int(server.sockets[0].getsockname()[1])

        try:
            await scenario(fetch, serve)
        finally:
            await fetch.sender.close()
            for server in servers:
                server.close()

    asyncio.run(go())


def test_a_declared_host_is_reached_by_its_name() -> None:
    seen: list[bytes] = []

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(answering(plain("hello", "200 OK", "X-Y: z"), seen))
        found = await fetch(f"http://good.example:{port}/a?b=c", headers=[["X-Mine", "1"]])
        assert (found["status"], found["body"]) == (200, "hello")
        assert found["headers"] == {"x-y": "z"}
        assert f"host: good.example:{port}".encode() in seen[0].lower()
        assert b"GET /a?b=c HTTP/1.1" in seen[0]
        assert [line.text.split(":")[0] for line in fetch.lines] == ["fetch GET http"]
        assert "b=c" not in fetch.lines[0].text

    attack(Names(good_example=["127.0.0.2"]), scenario)


def test_what_is_not_declared_is_refused_before_anything_is_asked() -> None:
    names = Names(evil_example=["127.0.0.2"])

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        for url in ("http://evil.example/x", "https://good.example/", "http://127.0.0.2/"):
            found = await fetch(url)
            assert found["status"] == 403
            assert found["code"] == "REQUEST_EGRESS_ALLOWLIST_ERR"
            assert found["message"] == (
                f"URL not included in the external fetch backend permissions: {url}. "
                "Visit go.atlassian.com/forge-egress for more information."
            )
        assert names.asked == []

    attack(names, scenario, declared=("http://good.example",))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.0.0.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://0:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::1]:{port}/",
        "http://[::]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://[::127.0.0.1]:{port}/",
        "http://[64:ff9b::7f00:1]:{port}/",
        "http://good.example@127.0.0.1:{port}/",
        "http://good.example:80@127.0.0.1:{port}/",
        "http://good.example\\@127.0.0.1:{port}/",
        "http://good.example#@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\t/",
        "http://private.example:{port}/",
        "http://mixed.example:{port}/",
        "http://mapped.example:{port}/",
        "http://metadata.example/latest/meta-data/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_x",
        "ftp://127.0.0.1:{port}/",
        "unix:///run/docker.sock",
        "data:text/plain,hello",
        "//127.0.0.1:{port}/",
        "/etc/passwd",
        "",
    ],
)
def test_nothing_private_is_reached_whatever_its_spelling(url: str) -> None:
    reached: list[bytes] = []
    names = Names(
        localhost=["127.0.0.1"],
        private_example=["127.0.0.1"],
        mixed_example=["127.0.0.2 127.0.0.1"],
        mapped_example=["::ffff:127.0.0.1"],
        metadata_example=["169.254.169.254"],
        good_example=["127.0.0.1"],
    )

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(answering(plain("secret"), reached), "127.0.0.1")
        found = await fetch(url.format(port=port))
        assert found["status"] == 403
        assert found["code"] == "REQUEST_EGRESS_ALLOWLIST_ERR"
        assert found["message"] == f"URL not allowed: {url.format(port=port)}."
        assert reached == []

    # Everything is declared: nothing but the address stands in the way.
    attack(names, scenario)


def test_a_name_that_flips_is_resolved_once_for_each_connection() -> None:
    reached: list[bytes] = []
    names = Names(good_example=["127.0.0.2", "127.0.0.1"])

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(answering(plain("public")))
        private = await asyncio.start_server(answering(plain("secret"), reached), "127.0.0.1", port)
        try:
            assert (await fetch(f"http://good.example:{port}/"))["body"] == "public"
            assert names.asked == ["good.example"]
            assert (await fetch(f"http://good.example:{port}/"))["status"] == 403
            assert reached == []
        finally:
            private.close()

    attack(names, scenario)


def test_redirects_are_checked_like_any_request() -> None:
    reached: list[bytes] = []
    names = Names(
        good_example=["127.0.0.2"], also_example=["127.0.0.2"], rebound_example=["127.0.0.1"]
    )

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        private = await serve(answering(plain("secret"), reached), "127.0.0.1")
        for location in (
            f"http://127.0.0.1:{private}/",
            f"//127.0.0.1:{private}/",
            f"http://rebound.example:{private}/",
            "file:///etc/passwd",
            "http://user@also.example/",
        ):
            port = await serve(answering(plain("", "302 Found", f"Location: {location}")))
            found = await fetch(f"http://good.example:{port}/")
            assert found["code"] == "REQUEST_EGRESS_ALLOWLIST_ERR", location
        undeclared = await serve(answering(plain("", "302 Found", "Location: https://no.example/")))
        found = await fetch(f"http://good.example:{undeclared}/")
        assert "external fetch backend permissions: https://no.example/." in found["message"]
        assert reached == []

    attack(names, scenario, declared=("http://good.example", "http://*.example", "http://*"))


def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    seen: list[bytes] = []
    names = Names(good_example=["127.0.0.2"], also_example=["127.0.0.2"])

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        there = await serve(answering(plain("there"), seen))
        to = f"Location: http://also.example:{there}/"
        here = await serve(answering(plain("", "302 Found", to), seen))
        secret = [["Authorization", "Bearer s3"], ["Cookie", "a=b"], ["X-Mine", "1"]]
        url = f"http://good.example:{here}/"
        found = await fetch(url, method="POST", headers=secret, content=b"body")
        assert found["body"] == "there"
        assert b"s3" in seen[0]
        assert b"s3" not in seen[1]
        assert b"a=b" not in seen[1]
        assert b"x-mine: 1" in seen[1].lower()
        assert seen[1].startswith(b"GET / ")
        manual = await fetch(url, options={"redirect": "manual"})
        assert manual["status"] == 302
        assert (await fetch(url, options={"redirect": "error"}))["code"] == "REDIRECTED"

    attack(names, scenario)


def test_redirects_end() -> None:
    seen: list[bytes] = []

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(answering(plain("", "302 Found", "Location: /again"), seen))
        found = await fetch(f"http://good.example:{port}/")
        assert found["code"] == "REDIRECTED"
        assert len(seen) == 6

    attack(Names(good_example=["127.0.0.2"]), scenario)


def test_huge_answers_are_cut_off() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 200 * 1024 * 1024:
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(endless)
        assert (await fetch(f"http://good.example:{port}/"))["code"] == "RESPONSE_TOO_LARGE"
        assert sent < 50 * 1024 * 1024
        heads = await serve(
            answering(plain("", "200 OK", *[f"X-{n}: {'y' * 900}" for n in range(90)]))
        )
        assert (await fetch(f"http://good.example:{heads}/"))["code"] == "RESPONSE_TOO_LARGE"
        endless_head = await serve(answering("HTTP/1.1 200 OK\r\nX: " + "y" * 2_000_000))
        assert (await fetch(f"http://good.example:{endless_head}/"))["status"] == 502

    attack(Names(good_example=["127.0.0.2"]), scenario)


def test_slow_answers_end_with_the_call() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(drip)
        started = asyncio.get_running_loop().time()
        found = await fetch(f"http://good.example:{port}/")
        assert (found["status"], found["code"]) == (504, "UPSTREAM_TIMEOUT")
        assert asyncio.get_running_loop().time() - started < 3

    attack(Names(good_example=["127.0.0.2"]), scenario, timeout_ms=400)


def test_servers_that_are_none_are_reported() -> None:
    async def scenario(fetch: Fetcher, serve: Any) -> None:
        for nonsense in ("", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"):
            port = await serve(answering(nonsense))
            found = await fetch(f"http://good.example:{port}/")
            assert (found["status"], found["code"]) == (502, "UPSTREAM_FAILED"), nonsense
        assert (await fetch("http://good.example:1/"))["code"] == "UPSTREAM_UNREACHABLE"
        assert (await fetch("http://unknown.example/"))["code"] == "UPSTREAM_UNREACHABLE"

    attack(Names(good_example=["127.0.0.2"]), scenario)


def test_no_server_can_speak_for_the_platform() -> None:
    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(
            answering(
                plain("x", "200 OK", "Forge-Proxy-Error: NEEDS_AUTHENTICATION_ERR", "Upgrade: h2c")
            )
        )
        found = await fetch(f"http://good.example:{port}/")
        assert found["headers"] == {}

    attack(Names(good_example=["127.0.0.2"]), scenario)


def test_a_call_may_fetch_a_hundred_times_a_minute() -> None:
    seen: list[bytes] = []

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(answering(plain("ok"), seen))
        url = f"http://good.example:{port}/"
        for _ in range(100):
            assert (await fetch(url))["status"] == 200
        found = await fetch(url)
        assert (found["status"], found["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert len(seen) == 100

    attack(Names(good_example=["127.0.0.2"]), scenario)


def test_the_certificate_is_that_of_the_name(tmp_path: Path) -> None:
    server, client = _tls(tmp_path, "good.example")
    names = Names(good_example=["127.0.0.2"], also_example=["127.0.0.2"])

    async def scenario(fetch: Fetcher, serve: Any) -> None:
        port = await serve(answering(plain("private line")), ssl=server)
        assert (await fetch(f"https://good.example:{port}/"))["body"] == "private line"
        found = await fetch(f"https://also.example:{port}/")
        assert (found["status"], found["code"]) == (502, "UPSTREAM_UNREACHABLE")

    attack(names, scenario, tls=client)


def _tls(folder: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(public + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return server, ssl.create_default_context(cadata=public.decode())
