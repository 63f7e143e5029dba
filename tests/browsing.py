"""A small platform with pages alone, and a real browser to visit it with.

`house` serves every page over HTTP, with a stand-in for the authorization server: `/authorize`
shows `house.question` and answers the way a real one does. A second server is the client's side.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sallyport.control.services import Services
from sallyport.control.setup import bootstrap
from sallyport.model.consent import AuthorizeProblem, ConsentView, RouteLine, ScopeLine, SiteChoice
from sallyport.model.directory import Account
from sallyport.model.platform import LimitSetting, ProcessState
from sallyport.store import accounts
from sallyport.store.engine import open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.tokens.passwords import hash_password
from sallyport.vocab.clock import SystemClock
from sallyport.web.consent import ConsentPages
from sallyport.web.errors import exception_handlers
from sallyport.web.pages import build_pages

T = TypeVar("T")
PLAIN_HOST = "door.test"
PASSWORD = "correct horse battery"
TOKEN = re.compile(r'name="form_token" value="([^"]*)"')
STOPPED = AuthorizeProblem(
    "None of your sites",
    "mara@acme.example is a member of none of the sites.",
    "Sign in with another account.",
    400,
)


@dataclass
class House:
    """The platform under test, seen from outside; `act` runs a coroutine on its loop."""

    url: str
    client_url: str
    services: Services
    loop: asyncio.AbstractEventLoop
    question: ConsentView
    problem: AuthorizeProblem = STOPPED
    answers: list[dict[str, str]] = field(default_factory=list)

    def act(self, act: Awaitable[T]) -> T:
        async def run() -> T:
            return await act

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def add_account(self, email: str, name: str, *, operator: bool = False) -> Account:
        """The account of this email, made where there is none; its password is `PASSWORD`."""

        async def add() -> Account | None:
            store = self.services.store
            if (held := await store.read(accounts.account_by_email, email)) is not None:
                return held
            hashed = await hash_password(PASSWORD)
            return await store.write(accounts.add_account, email, name, hashed, operator=operator)

        made = self.act(add())
        assert made is not None
        assert made.name == name
        return made

    def http(self, **options: Any) -> httpx.Client:
        """A program's view: cookies kept, redirects shown, no header that browsers add."""
        return httpx.Client(base_url=self.url, timeout=30, **options)

    @contextmanager
    def signed_in(self, email: str) -> Iterator[httpx.Client]:
        """The same, signed in, sending what a browser sends from our own pages."""
        with self.http(headers={"Origin": self.url}) as client:
            self._sign_in(client, email)
            yield client

    def _sign_in(self, client: httpx.Client, email: str) -> None:
        token = form_token(client.get("/login"))
        answer = client.post(
            "/login", data={"email": email, "password": PASSWORD, "form_token": token}
        )
        assert answer.status_code == 303, answer.text


def form_token(page: httpx.Response, action: str | None = None) -> str:
    """The token of the page's form, of the one sent to `action` where several are there."""
    text = page.text
    if action is not None:
        text = text[text.index(f'action="{action}"') :]
    found = TOKEN.search(text)
    assert found is not None, page.text
    return found[1]


@pytest.fixture(scope="module")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with served(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def house(running_house: House) -> House:
    """The module's house, with its first question and problem, and no answer yet."""
    running_house.question = question(running_house.client_url)
    running_house.problem = STOPPED
    running_house.answers.clear()
    return running_house


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Its driver holds this thread's event loop, so it ends with the module."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page that must not break its own policy nor log an error."""
    context: BrowserContext = chromium.new_context()
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert [text for text in complaints if "the server responded with" not in text] == []


def sign_in(page: Page, house: House, email: str) -> None:
    """Sign in as a person does."""
    page.goto(f"{house.url}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


class served:
    """The house, running in a thread for as long as the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failed: BaseException | None = None

    def __enter__(self) -> House:
        self._thread.start()
        assert self._ready.wait(30), "the house did not start"
        if self._failed is not None:
            raise self._failed
        return self._house

    def __exit__(self, *_: object) -> None:
        self._house.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failed = error
            self._ready.set()

    async def _processes(self) -> tuple[ProcessState, ...]:
        """What the one process of a whole platform tells of itself."""
        now = self._house.services.store.clock.now()
        return (ProcessState("gate-1", 4711, now, now, 0, 12, 3, 0, 64, 480, "sandbox", 0),)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        store = open_store(
            f"sqlite:///{self._folder}/sallyport.db", SystemClock(), Sealer(bytes(32))
        )
        await migrate(store)
        await bootstrap(store)
        listener, client_listener = _listen(), _listen()
        url, client_url = _address(listener), _address(client_listener)
        services = Services(
            store=store,
            public_url=url,
            bundles=self._folder / "bundles",
            stop_installation=_nothing_to_stop,
            processes=self._processes,
            limits=(LimitSetting("SALLYPORT_WORKERS", 64, "The most worker processes."),),
        )
        self._house = House(
            url, client_url, services, asyncio.get_running_loop(), question(client_url)
        )
        servers = [_server(_platform(self._house)), _server(_client())]
        running = [
            asyncio.create_task(server.serve([sock]))
            for server, sock in zip(servers, (listener, client_listener), strict=True)
        ]
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*running)
        await store.close()


def question(client_url: str) -> ConsentView:
    """One request for consent, of a client that listens at `client_url`."""
    return ConsentView(
        integration_name="HR Sync",
        integration_owner="Dana Brook",
        verified=False,
        app_name="Employee Directory",
        environment_key="development",
        account_name="Mara Lind",
        account_email="mara@acme.example",
        redirect_host=client_url.removeprefix("http://"),
        redirect_origin=client_url,
        sites=(SiteChoice("11111111-1111-4111-8111-111111111111", "acme.example", "Acme"),),
        chosen=None,
        scopes=(
            ScopeLine(
                "read:employee:custom",
                "Read employee info",
                "Name, date of joining, department.",
                (RouteLine("GET", "/getEmployeeName"), RouteLine("GET", "/employees/{id}")),
            ),
            ScopeLine(
                "write:employee:custom",
                "Edit employee info",
                "Change name, date of birth, payroll data.",
                (RouteLine("POST", "/editEmployeeName"),),
            ),
            ScopeLine("read:forge-app:jira", "Reach apps on Jira", "", ()),
        ),
        already=(),
        stays_connected=True,
        fields=(("client_id", "c1"), ("state", "s1"), ("redirect_uri", f"{client_url}/callback")),
    )


def _platform(house: House) -> Starlette:
    pages = ConsentPages(house.services)

    async def ask(request: Request) -> Response:
        if await pages.signed_in_account(request) is None:
            return await pages.sign_in(request, f"{request.url.path}?{request.url.query}")
        return await pages.consent(request, house.question)

    async def stop(request: Request) -> Response:
        if await pages.signed_in_account(request) is None:
            return await pages.sign_in(request, f"{request.url.path}?{request.url.query}")
        return await pages.problem(request, house.problem)

    async def answer(request: Request) -> Response:
        form = {key: str(value) for key, value in (await pages.verify_form(request)).items()}
        house.answers.append(form)
        outcome = {"code": "c"} if form["decision"] == "allow" else {"error": "access_denied"}
        query = urlencode(outcome | {"state": form["state"]})
        return RedirectResponse(f"{house.client_url}/callback?{query}", status_code=303)

    return Starlette(
        routes=[
            *build_pages(house.services),
            Route("/authorize", ask, methods=["GET"]),
            Route("/authorize", answer, methods=["POST"]),
            Route("/stopped", stop),
            Route("/broken", _break),
        ],
        exception_handlers=exception_handlers(),
    )


def _client() -> Starlette:
    async def callback(request: Request) -> Response:
        return HTMLResponse("<link rel=icon href=data:,><title>back</title><h1>Back</h1>")

    async def anything(request: Request) -> Response:
        return HTMLResponse(request.query_params.get("html", ""))

    return Starlette(routes=[Route("/callback", callback), Route("/", anything)])


async def _break(request: Request) -> Response:
    raise RuntimeError("a secret of the inside")


async def _nothing_to_stop(installation_id: str) -> None:
    return None


def _listen() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


def _address(listener: socket.socket) -> str:
    return f"http://localhost:{listener.getsockname()[1]}"


def _server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
