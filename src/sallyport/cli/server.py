"""Listening: the public port and the operator's, until a signal asks for the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from sallyport.app import GatewayEnded, Platform, WayIn
from sallyport.cli.failures import Failed
from sallyport.settings import Settings

GRACE_S = 10
GATEWAY = (sys.executable, "-m", "sallyport.cli.gateway")

ServerT = TypeVar("ServerT", bound="Server")


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs several of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int, flag: str) -> socket.socket:
    """A listening socket. Raises `Failed` where the port is taken or not allowed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise Failed(
                f"Port {port} on {host} is taken by another program.",
                fix=f"Stop that program, or choose another port with {flag}.",
            ) from None
        raise Failed(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}.",
            fix=f"Choose another address or another port with {flag}.",
        ) from None
    made.listen(2048)
    return made


def port_of(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


@asynccontextmanager
async def serving(
    platform: Platform, public: socket.socket, admin: socket.socket
) -> AsyncIterator[asyncio.Event]:
    """Serve both listeners inside the block; the event is set when a signal asks for the end.

    Later signals change nothing: what is open must be closed in order, however often they come.
    """
    settings = platform.settings
    stop = stop_event()
    async with _listening(_server(platform.admin, "httptools", Server), admin):
        if isinstance(platform.public, WayIn):
            async with listening(platform.public, settings, public, Server):
                yield stop
            return
        _check_tls(settings)
        try:
            async with platform.public.running(GATEWAY, public):
                yield stop
        except GatewayEnded as error:
            raise Failed(
                f"The platform could not start all of its processes: {error}.",
                fix="Look at what it wrote above, or start with --workers 1.",
            ) from None


@asynccontextmanager
async def listening(
    way_in: WayIn, settings: Settings, public: socket.socket, kind: type[ServerT]
) -> AsyncIterator[ServerT]:
    """Take connections inside the block, with a server of this kind."""
    server = _server(way_in.asgi, way_in.door.protocol, kind, **_tls(settings))
    async with _listening(server, public):
        try:
            yield server
        finally:
            way_in.ending.set()


def stop_event() -> asyncio.Event:
    """An event that is set when a signal asks for the end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def _listening(server: Server, bound: socket.socket) -> AsyncIterator[None]:
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        settle_memory()
        yield
    finally:
        server.should_exit = True
        await task


def settle_memory() -> None:
    """Leave what is there after the start alone in later collections.

    Modules, tables and schemas stay for good. Looked through again and again they would hold up
    every call on its way for tens of milliseconds; what calls leave behind is little, and rarely a
    circle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _tls(settings: Settings) -> dict[str, Any]:
    return {
        "ssl_certfile": settings.tls_certificate or None,
        "ssl_keyfile": settings.tls_key or None,
    }


def _check_tls(settings: Settings) -> None:
    """Raises `Failed` here rather than in each process that cannot use the certificate."""

    async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    _server(nothing, "httptools", Server, **_tls(settings))


def _server(app: ASGIApp, protocol: Any, kind: type[ServerT], **tls: Any) -> ServerT:
    config = uvicorn.Config(
        app,
        **tls,
        http=protocol,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    try:
        config.load()
    except OSError as error:
        raise Failed(
            f"The TLS certificate and its key cannot be used: {error.strerror or error}.",
            fix="Name PEM files that this user can read with --tls-certificate and --tls-key.",
        ) from None
    return kind(config)
