"""Sending: one HTTP exchange with another server, bounded in time and size.

The address that is checked is the address that is connected to: the name is resolved once, here,
and only the certificate and the Host header speak of the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import httpcore

from sallyport.capabilities.addresses import Network, may_be_called
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.capabilities.shape import PROXY_ERROR, Headers, Reply
from sallyport.runtime.frames import LARGEST_BODY
from sallyport.vocab.urls import Address, Url, literal

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Host name and port -> its addresses, the best first. Raises `OSError`."""

LONGEST_EXCHANGE_S: Final = 60.0
_CONNECT_S: Final = 10.0
_CONNECTIONS: Final = 500
_KEPT: Final = 50
_KEPT_S: Final = 15.0
_LARGEST_HEADERS: Final = 64 * 1024
_MOST_ADDRESSES: Final = 4

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class AddressRefused(Exception):
    """A name leads to an address that app code may not reach."""


async def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of a name as this host sees them. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses alone."""

    def __init__(self, resolve: Resolve, allowed: tuple[Network, ...]) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        given = literal(host)
        try:
            addresses = [given] if given is not None else await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address") from error
        if not addresses:
            raise httpcore.ConnectError(f"{host} has no address")
        # One forbidden address is enough: a name that mixes them is an attack or a mistake.
        if not all(may_be_called(address, self._allowed) for address in addresses):
            raise AddressRefused
        failure: Exception | None = None
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class Sender:
    """Sends requests to other servers; one for product APIs, one for what app code chooses.

    `checked` says which private networks may be reached besides public addresses; None means that
    any address may, because the operator chose the servers.
    """

    def __init__(
        self,
        *,
        checked: tuple[Network, ...] | None,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        # Connections to servers of app code's choice are not shared between installations.
        kept = _KEPT if checked is None else 0
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpcore.default_ssl_context(),
            max_connections=_CONNECTIONS,
            max_keepalive_connections=kept,
            keepalive_expiry=_KEPT_S,
            network_backend=None if checked is None else _CheckedNetwork(resolve, checked),
        )

    async def send(
        self, method: str, url: Url, headers: Headers, body: bytes, seconds: float
    ) -> Reply:
        """The other server's answer. Raises `CapabilityRefused` and `AddressRefused`.

        `headers` are sent besides Host and the body's length. Redirects are answers too.
        """
        limit = min(seconds, LONGEST_EXCHANGE_S)
        try:
            async with asyncio.timeout(limit):
                return await self._exchange(method, url, headers, body, limit)
        except (TimeoutError, httpcore.TimeoutException):
            raise CapabilityRefused(
                504, "UPSTREAM_TIMEOUT", f"{url.origin} did not answer in time"
            ) from None
        except httpcore.ConnectError:
            raise CapabilityRefused(
                502, "UPSTREAM_UNREACHABLE", f"{url.origin} cannot be reached"
            ) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            raise CapabilityRefused(
                502, "UPSTREAM_FAILED", f"{url.origin} ended the exchange or broke its protocol"
            ) from None

    async def close(self) -> None:
        await self._pool.aclose()

    async def _exchange(
        self, method: str, url: Url, headers: Headers, body: bytes, limit: float
    ) -> Reply:
        step = {"connect": min(limit, _CONNECT_S), "read": limit, "write": limit, "pool": limit}
        async with self._pool.stream(
            method,
            httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
            headers=[("host", url.authority), *headers],
            content=body if body or method in ("POST", "PUT", "PATCH") else None,
            extensions={"timeout": step},
        ) as response:
            kept = response_headers(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in response.headers
            )
            parts: list[bytes] = []
            size = 0
            async for part in response.aiter_stream():
                size += len(part)
                if size > LARGEST_BODY:
                    raise CapabilityRefused(
                        502, "RESPONSE_TOO_LARGE", f"The answer of {url.origin} is over 5 MB"
                    )
                parts.append(part)
            return Reply(response.status, kept, b"".join(parts))


def response_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """Another server's headers as app code gets them: none of the connection, none of ours."""
    kept = without_connection(headers, dropped=frozenset({PROXY_ERROR, "content-length"}))
    if sum(len(name) + len(value) for name, value in kept) > _LARGEST_HEADERS:
        raise CapabilityRefused(502, "RESPONSE_TOO_LARGE", "The answer's headers are over 64 KB")
    return kept


def without_connection(headers: Iterable[tuple[str, str]], dropped: frozenset[str]) -> Headers:
    """Headers without those that belong to one connection (RFC 9110 section 7.6.1) and `dropped`.

    Names in lower case.
    """
    given = tuple((name.lower(), value) for name, value in headers)
    nominated = {
        token.strip().lower()
        for name, value in given
        if name == "connection"
        for token in value.split(",")
    }
    unwanted = HOP_BY_HOP | nominated | dropped
    return tuple((name, value) for name, value in given if name not in unwanted)
