"""Listening: the public port and the operator's, until a signal asks for the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from sallyport.app import Platform
from sallyport.cli.failures import Failed

GRACE_S = 10


class _Server(uvicorn.Server):
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
    servers = [
        _server(
            platform.asgi,
            platform.door.protocol,
            ssl_certfile=settings.tls_certificate or None,
            ssl_keyfile=settings.tls_key or None,
        ),
        _server(platform.admin, "httptools"),
    ]
    tasks = [
        asyncio.create_task(server.serve(sockets=[bound]))
        for server, bound in zip(servers, (public, admin), strict=True)
    ]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        while not all(server.started for server in servers):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.005)
        yield stop
    finally:
        platform.services.ending.set()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


def _server(app: ASGIApp, protocol: Any, **tls: Any) -> _Server:
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
    return _Server(config)
