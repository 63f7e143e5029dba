"""The control API on a real server, with a real SQLite store, for tests that speak HTTP.

`platform` is a claimed platform; `unclaimed` one that waits for its first operator.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from sallyport.control.services import Services
from sallyport.control.setup import bootstrap, ensure_setup_link
from sallyport.store import schema
from sallyport.store.engine import Reader, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import SystemClock
from sallyport.web.api.app import build_api
from sallyport.web.gate import NotSetUpGate

T = TypeVar("T")
PASSWORD = "correct horse battery"
OPERATOR_EMAIL = "olga@operator.test"
MoreRoutes = Callable[[Services], Sequence[BaseRoute]]


@dataclass
class Platform:
    """A platform under test, seen from outside. `setup_link` was made when it started."""

    url: str
    setup_link: str
    services: Services
    loop: asyncio.AbstractEventLoop
    organization_id: str = ""
    claimant: httpx.Client | None = None

    @property
    def operator(self) -> httpx.Client:
        """The operator that claimed the platform, as a client."""
        assert self.claimant is not None, "nobody has claimed the platform"
        return self.claimant

    def act(self, act: Awaitable[T]) -> T:
        """Run a coroutine on the platform's loop; for what has no HTTP face."""

        async def run() -> T:
            return await act

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def client(self, email: str | None = None, api_token: str = "") -> httpx.Client:
        """Somebody who calls the control API, paths below `/api/v1`; without email a stranger."""
        auth = (email, api_token) if email is not None else None
        return httpx.Client(base_url=f"{self.url}/api/v1", auth=auth, timeout=30)

    def claim(self) -> httpx.Response:
        """Use the setup link as its finder does; from then on `operator` calls."""
        with self.client() as stranger:
            answer = stranger.post(
                "/setup",
                json={
                    "token": link_token(self.setup_link),
                    "email": OPERATOR_EMAIL,
                    "name": "Olga Operator",
                    "password": PASSWORD,
                },
            )
        if answer.status_code == 201:
            self.claimant = self.client(OPERATOR_EMAIL, answer.json()["api_token"])
        return answer

    def make_account(self, email: str, name: str = "Somebody", **more: Any) -> httpx.Client:
        """A new account with the password `PASSWORD`, as a client; `GET /me` tells its id."""
        made = self.operator.post(
            "/operator/accounts", json={"email": email, "name": name, "password": PASSWORD, **more}
        )
        assert made.status_code == 201, made.text
        account_id = made.json()["account_id"]
        token = self.operator.post(
            f"/operator/accounts/{account_id}/api-tokens", json={"label": "test"}
        )
        return self.client(email, token.json()["token"])

    def make_site(
        self,
        host: str,
        *,
        members: Sequence[str] = (),
        admins: Sequence[str] = (),
        products: Sequence[str] = ("jira", "confluence"),
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """A new site with members and admins by email; one organization unless another is given."""
        if organization_id is None and not self.organization_id:
            made = self.operator.post("/operator/organizations", json={"name": "Acme"})
            self.organization_id = made.json()["id"]
        answer = self.operator.post(
            "/operator/sites",
            json={
                "organization_id": organization_id or self.organization_id,
                "host": host,
                "name": host.split(".")[0].title(),
                "products": list(products),
            },
        )
        assert answer.status_code == 201, answer.text
        site: dict[str, Any] = answer.json()
        for role, emails in (("member", members), ("admin", admins)):
            for email in emails:
                put = self.operator.put(
                    f"/operator/sites/{host}/members/{email}", json={"role": role}
                )
                assert put.status_code == 200, put.text
        return site


def link_token(link: str) -> str:
    """The secret that a setup link carries."""
    return parse_qs(urlsplit(link).query)["token"][0]


def refused(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """The problem document, with every member that each has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["reason"] == reason
    assert problem["status"] == problem["code"] == status
    assert problem["type"].startswith("https://")
    assert problem["title"]
    assert problem["detail"]
    return problem


def audit(platform: Platform) -> list[tuple[str, str | None, str | None]]:
    """Every audit row so far: event, account id, subject."""

    async def ask(reader: Reader) -> list[tuple[str, str | None, str | None]]:
        c = schema.audit.c
        rows = await reader.all(select(c.event, c.account_id, c.subject).order_by(c.seq))
        return [(row.event, row.account_id, row.subject) for row in rows]

    return platform.act(platform.services.store.read(ask))


def login(client: httpx.Client, email: str, password: str) -> httpx.Response:
    """Trade email and password for an API token."""
    return client.post("/login", json={"email": email, "password": password, "label": "laptop"})


@contextmanager
def serving(folder: Path, more_routes: MoreRoutes | None = None) -> Iterator[Platform]:
    """An unclaimed platform, served from a thread for as long as the block."""
    server = _Server(folder, more_routes)
    thread = threading.Thread(target=server.run, name="platform", daemon=True)
    thread.start()
    try:
        platform = server.wait()
        yield platform
        if platform.claimant is not None:
            platform.claimant.close()
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive(), "the platform did not stop"


@pytest.fixture
def unclaimed(tmp_path: Path) -> Iterator[Platform]:
    with serving(tmp_path) as platform:
        yield platform


@pytest.fixture
def platform(unclaimed: Platform) -> Platform:
    answer = unclaimed.claim()
    assert answer.status_code == 201, answer.text
    return unclaimed


class _Server:
    def __init__(self, folder: Path, more_routes: MoreRoutes | None) -> None:
        self._folder = folder
        self._more_routes = more_routes
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._uvicorn: uvicorn.Server | None = None
        self._platform: Platform | None = None

    def wait(self) -> Platform:
        assert self._ready.wait(30), "the platform did not start"
        if self._failed is not None:
            raise self._failed
        assert self._platform is not None
        return self._platform

    def stop(self) -> None:
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failed = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        url = f"sqlite:///{self._folder}/sallyport.db"
        store = open_store(url, SystemClock(), Sealer(bytes(range(32))))
        try:
            await migrate(store)
            await bootstrap(store)
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen(128)
                address = f"http://127.0.0.1:{listener.getsockname()[1]}"
                services = Services(store, address, self._folder / "bundles", _nothing_runs)
                link = await ensure_setup_link(services)
                assert link is not None
                loop = asyncio.get_running_loop()
                self._platform = Platform(address, link, services, loop)
                routes: list[BaseRoute] = [Mount("/api/v1", build_api(services))]
                if self._more_routes is not None:
                    routes += self._more_routes(services)
                app = NotSetUpGate(Starlette(routes=routes), services)
                config = uvicorn.Config(app, log_config=None, lifespan="off")
                self._uvicorn = uvicorn.Server(config)
                self._ready.set()
                await self._uvicorn.serve([listener])
        finally:
            await store.close()


async def _nothing_runs(_installation_id: str) -> None:
    return None
