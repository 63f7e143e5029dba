"""The authorization server alone, served as the platform does, with the plainest pages.

Who is signed in is told by the cookie `who`; questions and problems are shown as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import socket
import threading
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from access_world import CALLBACK, JIRA, READ, WRITE, World, seed
from sallyport.app.desks import find_desks
from sallyport.gateway.protocol import Door
from sallyport.model.access import ClientKind
from sallyport.model.consent import AuthorizeProblem, ConsentView
from sallyport.model.directory import Account, Actor
from sallyport.oauth import OAuth, build_routes
from sallyport.store.accounts import account_by_id
from sallyport.store.engine import Store, open_store
from sallyport.store.integrations import create_integration
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.tokens.keys import Keys, open_keys
from sallyport.vocab.clock import ManualClock
from sallyport.vocab.errors import Reason, Refused

T = TypeVar("T")
Parameters = Mapping[str, str] | Sequence[tuple[str, str]]
FULL_SCOPE = f"{READ} {WRITE} {JIRA} offline_access"


class PlainPages:
    """`Pages` without any drawing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def consent(self, request: Request, view: ConsentView) -> Response:
        return JSONResponse(asdict(view))

    async def problem(self, request: Request, problem: AuthorizeProblem) -> Response:
        told = asdict(problem)
        wait = told.pop("retry_after")
        headers = None if wait is None else {"Retry-After": str(wait)}
        return JSONResponse(told, status_code=problem.status, headers=headers)

    async def sign_in(self, request: Request, return_to: str) -> Response:
        return RedirectResponse(f"/login?next={quote(return_to, safe='')}", status_code=303)

    async def signed_in_account(self, request: Request) -> Account | None:
        who = request.cookies.get("who")
        return None if who is None else await self._store.read(account_by_id, who)

    async def verify_form(self, request: Request) -> FormData:
        if request.headers.get("sec-fetch-site") != "same-origin":
            raise Refused(Reason.CROSS_SITE, "This form did not come from here.")
        return await request.form()


@dataclass
class Server:
    """The server under test, seen from outside."""

    url: str
    world: World
    keys: Keys
    clock: ManualClock
    loop: asyncio.AbstractEventLoop
    database: str

    def act(self, act: Awaitable[T]) -> T:
        """Run a coroutine on the server's loop."""

        async def run() -> T:
            return await act

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def request(self, **changes: str | None) -> dict[str, str]:
        """A complete authorization request; None takes a parameter away."""
        wanted: dict[str, str | None] = {
            "audience": "api.atlassian.com",
            "client_id": self.world.client_id,
            "scope": FULL_SCOPE,
            "redirect_uri": CALLBACK,
            "state": "x+y/z=&",
            "response_type": "code",
            "prompt": "consent",
            "sns": self.world.namespace,
        }
        return {name: value for name, value in {**wanted, **changes}.items() if value is not None}

    def ask(self, parameters: Parameters, who: Account | None = None) -> httpx.Response:
        """GET /authorize in the browser of `who`, the member if nobody is named."""
        return self._browse("GET", who, params=_pairs(parameters))

    def answer(
        self,
        parameters: Parameters,
        who: Account | None = None,
        *,
        decision: str = "allow",
        site: str | None = None,
        origin: str = "same-origin",
    ) -> httpx.Response:
        """POST /authorize with a decision."""
        fields = [
            *_pairs(parameters),
            ("decision", decision),
            ("site", site or self.world.site.id),
        ]
        form: dict[str, Any] = {}
        for name, value in fields:
            form.setdefault(name, []).append(value)
        return self._browse("POST", who, data=form, headers={"Sec-Fetch-Site": origin})

    def code(self, **changes: str | None) -> str:
        """A fresh code."""
        return redirected(self.answer(self.request(**changes)))["code"]

    def exchange(self, code: str, **changes: str | None) -> httpx.Response:
        return self.token(
            grant_type="authorization_code", code=code, **{"redirect_uri": CALLBACK, **changes}
        )

    def refresh(self, token: str, **changes: str | None) -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=token, **changes)

    def tokens(self, **changes: str | None) -> dict[str, Any]:
        """Tokens from a fresh consent."""
        answer = self.exchange(self.code(**changes))
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def token(self, **fields: str | None) -> httpx.Response:
        """POST /oauth/token as the integration, with its secret in the body."""
        form = {"client_id": self.world.client_id, "client_secret": self.world.secret, **fields}
        return self.post("/oauth/token", {k: v for k, v in form.items() if v is not None})

    def revoke(self, token: str, **changes: str) -> httpx.Response:
        form = {
            "client_id": self.world.client_id,
            "client_secret": self.world.secret,
            "token": token,
        }
        return self.post("/oauth/revoke", {**form, **changes})

    def introspect(self, token: str, **changes: str | None) -> httpx.Response:
        form = {
            "client_id": self.world.client_id,
            "client_secret": self.world.secret,
            "token": token,
            **changes,
        }
        return self.post("/oauth/introspect", {k: v for k, v in form.items() if v is not None})

    def integration(self, kind: ClientKind, callback: str = CALLBACK, **options: bool) -> str:
        """The client id of a further integration, without a secret, linked as the first one is."""
        world = self.world
        made = self.act(
            world.store.write(
                create_integration,
                Actor(world.developer.id, world.developer.name),
                world.developer.id,
                f"A {kind} client",
                (callback,),
                world.link(),
                None,
                kind=kind,
                **options,
            )
        )
        return made.client_id

    def resources(self, token: str) -> httpx.Response:
        """Which site the token opens; 401 for a token that is dead."""
        return httpx.get(
            f"{self.url}/oauth/token/accessible-resources",
            headers={"Authorization": f"Bearer {token}"},
        )

    def post(self, path: str, form: Mapping[str, str], **more: Any) -> httpx.Response:
        return httpx.post(self.url + path, data=form, timeout=30, **more)

    def _browse(self, method: str, who: Account | None, **more: Any) -> httpx.Response:
        cookies = {"who": (who or self.world.member).id}
        with httpx.Client(cookies=cookies, timeout=30) as browser:
            return browser.request(method, f"{self.url}/authorize", **more)


def redirected(answer: httpx.Response, to: str = CALLBACK) -> dict[str, str]:
    """What a redirect to the client carries; each parameter once."""
    assert answer.status_code == 303, answer.text
    location = answer.headers["location"]
    assert location.startswith(to), location
    query = parse_qs(urlsplit(location).query, strict_parsing=True)
    assert all(len(values) == 1 for values in query.values()), location
    return {name: values[0] for name, values in query.items()}


def on_page(answer: httpx.Response, status: int = 400) -> dict[str, Any]:
    """A problem that was shown and sent nobody anywhere."""
    assert answer.status_code == status, answer.text
    assert "location" not in answer.headers
    body: dict[str, Any] = answer.json()
    assert body.keys() == {"title", "detail", "fix", "status"}, body
    return body


def pkce() -> tuple[str, str]:
    """A code verifier and its S256 challenge."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One authorization server for a module."""
    with authorization_server(tmp_path_factory.mktemp("oauth")) as running:
        yield running


@contextmanager
def authorization_server(
    folder: Path, *, database: str = "", beside: Server | None = None, **options: Any
) -> Iterator[Server]:
    """The server on a free port, in a thread, for as long as the block; `options` are OAuth's.

    On an empty `database`, a new file of `folder` unless one is given; or `beside` another server,
    with a store of its own on that one's database, as a second process would have.
    """
    if beside is not None:
        database = beside.database
    database = database or f"sqlite:///{folder}/oauth.db"
    made: list[Server | BaseException] = []
    started = threading.Event()
    stop = threading.Event()

    async def serve() -> None:
        clock = ManualClock() if beside is None else beside.clock
        store = open_store(database, clock, Sealer(bytes(range(32))))
        try:
            if beside is None:
                await migrate(store)
                world = await seed(store)
            else:
                world = replace(beside.world, store=store)
            keys = await open_keys(store)
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen(128)
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                pages = PlainPages(store)
                issuer = url if beside is None else beside.url
                oauth = OAuth(store, keys, issuer, pages, lambda s: f"https://{s.host}", **options)
                app = Starlette(routes=build_routes(oauth))
                # No address here is a call's, so no gateway is needed.
                nobody: Any = None
                door = Door(nobody, nobody, lambda: True, desk=find_desks(oauth, store.feed))
                config = uvicorn.Config(app, http=door.protocol, log_config=None, lifespan="off")  # type: ignore[arg-type]
                server = uvicorn.Server(config)
                loop = asyncio.get_running_loop()
                made.append(Server(url, world, keys, clock, loop, database))
                started.set()
                serving = asyncio.create_task(server.serve([listener]))
                await asyncio.to_thread(stop.wait)
                server.should_exit = True
                await serving
        finally:
            await store.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            made.append(error)
            started.set()

    thread = threading.Thread(target=run, name="authorization-server", daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        if not isinstance(made[0], Server):
            raise made[0]
        yield made[0]
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    for failure in made[1:]:
        assert isinstance(failure, BaseException)
        raise failure


def _pairs(parameters: Parameters) -> list[tuple[str, str]]:
    return list(parameters.items() if isinstance(parameters, Mapping) else parameters)
