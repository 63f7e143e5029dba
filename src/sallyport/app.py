"""The composition root: the only file that knows every room.

`open_platform` makes a platform from settings; `Platform.asgi` is everything that listens on the
public port, `Platform.admin` what listens on the operator's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sallyport.capabilities.fetch import Fetch
from sallyport.capabilities.product import ProductApis
from sallyport.capabilities.sending import Sender
from sallyport.capabilities.serve import Capabilities
from sallyport.control.services import Services
from sallyport.control.setup import bootstrap, ensure_setup_link
from sallyport.folder import FolderLock, instance_of
from sallyport.gateway.endpoint import Gateway
from sallyport.gateway.facts import Facts
from sallyport.gateway.idempotency import Idempotency
from sallyport.gateway.limits import CallLimits, a_minute
from sallyport.gateway.proofs import ProofMemory
from sallyport.gateway.protocol import Door, Patience
from sallyport.gateway.record import Recorder
from sallyport.gateway.schedule import Scheduler
from sallyport.gateway.sources import make_sources
from sallyport.gateway.steps import Policy, TokenVerifier
from sallyport.gateway.tenant import tenant_route
from sallyport.gateway.webtrigger import WebTriggers
from sallyport.model.access import VerifiedToken
from sallyport.model.decision import LogLine
from sallyport.model.manifest import DEFAULT_MEMORY_MB
from sallyport.oauth import OAuth, build_routes
from sallyport.observe import metrics
from sallyport.runtime.call import Limits
from sallyport.runtime.node_process import SCRIPTS
from sallyport.runtime.node_program import NodeProgram, NoNode, find_node
from sallyport.runtime.pool import Pool
from sallyport.runtime.resolve import Resolver
from sallyport.runtime.sandbox import Driver
from sallyport.runtime.sandbox.choice import (
    Examination,
    Trust,
    as_wanted,
    choose_driver,
    examine,
    trust_in,
)
from sallyport.runtime.sandbox.sandboxed import SandboxDriver
from sallyport.settings import Settings
from sallyport.store.batch import Batch
from sallyport.store.engine import Store, open_store
from sallyport.store.idempotency import interrupt_runs_of
from sallyport.store.migrations import migrate
from sallyport.store.records import add_log_lines
from sallyport.store.seal import Sealer, master_key
from sallyport.tokens.access import TokenCache
from sallyport.tokens.keys import Keys, open_keys
from sallyport.tokens.nonce import PURPOSE, Nonces
from sallyport.upkeep import kept_up
from sallyport.vocab.clock import SystemClock
from sallyport.web.api.app import build_api
from sallyport.web.consent import ConsentPages
from sallyport.web.errors import exception_handlers
from sallyport.web.gate import NotSetUpGate
from sallyport.web.pages import build_pages

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that is open.

    `door` makes the protocol of connections, which answers calls in front of `asgi`. `setup_link`
    is None once there is an operator. `trust` says what app code runs in.
    """

    settings: Settings
    services: Services
    asgi: ASGIApp
    door: Door
    admin: ASGIApp
    setup_link: str | None
    trust: Trust


@asynccontextmanager
async def open_platform(settings: Settings, *, or_plain: bool = False) -> AsyncIterator[Platform]:
    """Open the store, the keys and the runtime; close them in the opposite order.

    Where the host has no sandbox, app code does not run; with `or_plain` it runs without.

    Raises `AlreadyRunning` where another process has the data folder open.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(settings.folder):
        store = open_store(
            settings.database, SystemClock(), Sealer(master_key(settings.folder / "master.key"))
        )
        try:
            await migrate(store)
            await bootstrap(store)
            async with _running(settings, store, or_plain=or_plain) as platform:
                yield platform
        finally:
            await store.close()


@asynccontextmanager
async def _running(settings: Settings, store: Store, *, or_plain: bool) -> AsyncIterator[Platform]:
    # Workers run in a folder of their own, so a relative path would not lead them there.
    bundles = (settings.folder / "bundles").resolve()
    keys = await open_keys(store)
    logs: Batch[LogLine] = Batch(store, add_log_lines)
    recorder = Recorder(store)
    upstreams, outside = Sender(checked=None), Sender(checked=settings.fetch_networks)
    node = await asyncio.to_thread(_node, settings)
    driver = await asyncio.to_thread(_driver, settings, node, or_plain)
    pool = Pool(
        driver,
        Limits(
            workers_per_installation=settings.workers_per_installation,
            workers=settings.workers,
            queue_per_installation=settings.queue_per_installation,
            queue_ms=settings.queue_ms,
            warm_node_workers=settings.warm_node_workers,
        ),
        store.clock,
        logs.add,
        Capabilities(
            store,
            {
                "product": ProductApis(store, keys, settings.address, upstreams),
                "fetch": Fetch(outside),
            },
            most_bytes=settings.app_data_mb * 1024 * 1024,
        ).handle,
        node,
    )
    if await asyncio.to_thread(_has_node_apps, bundles):
        pool.expect_node(DEFAULT_MEMORY_MB)
    services = Services(
        store,
        settings.address,
        bundles,
        pool.stop_installation,
        resolver=Resolver(settings.package_index),
        node=node,
        reload_keys=lambda: keys.reload(store),
    )
    facts = Facts(store)
    nonces = Nonces(store.sealer.derive(PURPOSE)) if settings.dpop_nonces else None
    policy = Policy(
        sources=make_sources(bundles),
        verify=_verifier(store, keys, settings.address),
        public_url=settings.address,
        forge_compatible=settings.compat == "forge",
        limits=CallLimits(
            integration=a_minute("integration", settings.integration_calls_per_minute),
            account=a_minute("account", settings.account_calls_per_minute),
            app=a_minute("app", settings.app_calls_per_minute),
            refused=a_minute("refused", settings.refused_calls_per_minute),
        ),
        proofs=ProofMemory(store.clock.now()),
        nonces=nonces,
        site_url=services.site_url,
    )
    owner = instance_of(settings.folder)
    await store.write(interrupt_runs_of, owner)
    idempotency = Idempotency(
        store,
        owner,
        waits_ms=settings.queue_ms,
        most_keys=settings.idempotency_keys,
        most_bytes=settings.idempotency_mb * 1024 * 1024,
    )
    gateway = Gateway(facts, policy, pool.invoke, idempotency, recorder, store.clock)
    web_triggers = WebTriggers(
        store,
        facts,
        policy,
        pool.invoke,
        recorder,
        calls_per_minute=settings.web_trigger_calls_per_minute,
    )
    scheduler = Scheduler(
        store, facts, policy.sources, pool.invoke, at_once=settings.scheduled_runs_at_once
    )
    logs.start()
    recorder.start()
    scheduler.start()
    try:
        async with kept_up(services, keys, pool, settings):
            asgi = _public(services, gateway, web_triggers, facts, policy, keys, settings)
            fast = bool(settings.fast_path)
            door = Door(gateway, pool.submit, lambda: fast and asgi.is_lifted, _patience(settings))
            yield Platform(
                settings=settings,
                services=services,
                asgi=asgi,
                door=door,
                admin=_admin(store, facts, policy.limits, recorder, logs, pool),
                setup_link=await ensure_setup_link(services),
                trust=trust_in(driver),
            )
    finally:
        await scheduler.close()
        await pool.close()
        await scheduler.settle()
        driver.close()
        await upstreams.close()
        await outside.close()
        await recorder.close()
        await logs.close()


def examine_host(settings: Settings) -> Examination:
    """What this host can hold app code to; for `sallyport doctor`."""
    driver = SandboxDriver(_readable(_node(settings)))
    try:
        return examine(driver)
    finally:
        driver.close()


def _has_node_apps(bundles: Path) -> bool:
    return next(bundles.glob("*/dist/**/*.cjs"), None) is not None


def node_of_host(settings: Settings) -> str:
    """Which Node runs Node apps here, or why none does, in a sentence; for `sallyport doctor`."""
    try:
        node = find_node(settings.node)
    except NoNode as reason:
        return f"Node apps do not run here. {reason}"
    return f"Node apps run on Node {node.version}, {node.path}."


def _driver(settings: Settings, node: NodeProgram | None, or_plain: bool) -> Driver:
    wanted = as_wanted(settings.runtime_driver)
    return choose_driver(wanted, _readable(node), or_plain=or_plain)


def _readable(node: NodeProgram | None) -> tuple[Path, ...]:
    """What sandboxes show besides Python."""
    return () if node is None else (node.path, SCRIPTS)


def _node(settings: Settings) -> NodeProgram | None:
    """The Node that runs Node apps; without one the platform runs all other apps."""
    try:
        return find_node(settings.node)
    except NoNode as reason:
        _log.log(logging.WARNING if settings.node else logging.INFO, "no Node apps: %s", reason)
        return None


def _verifier(store: Store, keys: Keys, issuer: str) -> TokenVerifier:
    cache = TokenCache()
    store.feed.follow(cache.hear)

    def verify(raw: str, now: int) -> VerifiedToken:
        return cache.verify(keys.ring, issuer, raw, now)

    return verify


def _public(
    services: Services,
    gateway: Gateway,
    web_triggers: WebTriggers,
    facts: Facts,
    policy: Policy,
    keys: Keys,
    settings: Settings,
) -> NotSetUpGate:
    """Everything on the public port: calls to the gateway, all else to the pages and APIs."""
    oauth = OAuth(
        services.store,
        keys,
        settings.address,
        ConsentPages(services),
        services.site_url,
        nonces=policy.nonces,
    )
    site = Starlette(
        routes=[
            tenant_route(facts, policy.sources),
            *build_routes(oauth),
            Mount("/api/v1", build_api(services)),
            *build_pages(services),
        ],
        exception_handlers=exception_handlers(),
    )

    async def public(scope: Scope, receive: Receive, send: Send) -> None:
        if gateway.handles(scope):
            await gateway(scope, receive, send)
        elif web_triggers.handles(scope):
            await web_triggers(scope, receive, send)
        else:
            await site(scope, receive, send)

    return NotSetUpGate(public, services)


def _patience(settings: Settings) -> Patience:
    return Patience(
        head_s=settings.head_timeout_ms / 1000,
        body_s=settings.body_timeout_ms / 1000,
        idle_s=settings.idle_timeout_ms / 1000,
        connections=settings.connections,
    )


def _admin(
    store: Store,
    facts: Facts,
    limits: CallLimits,
    recorder: Recorder,
    logs: Batch[LogLine],
    pool: Pool,
) -> ASGIApp:
    """Health and metrics, on the operator's own listener."""

    def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        try:
            await store.ping()
        except Exception:
            _log.exception("the database does not answer")
            return PlainTextResponse("the database does not answer\n", 503)
        return PlainTextResponse("ok\n")

    def measured(_request: Request) -> Response:
        metrics.FACTS.set(len(facts))
        metrics.FACT_LOADS.set(facts.loads)
        metrics.RATE_BUCKETS.labels("accepted").set(len(limits.accepted_buckets))
        metrics.RATE_BUCKETS.labels("refused").set(len(limits.refused_buckets))
        metrics.WORKERS.set(pool.workers)
        metrics.RECORDS_DROPPED.labels("calls").set(recorder.dropped)
        metrics.RECORDS_DROPPED.labels("usage").set(recorder.uncounted)
        metrics.RECORDS_DROPPED.labels("log_lines").set(logs.dropped)
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/livez", live),
            Route("/readyz", ready),
            Route("/metrics", measured),
        ]
    )
