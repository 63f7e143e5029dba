"""The way in: what is on the public port. Calls go to the gateway, the rest to pages and APIs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from sallyport.app.desks import find_desks
from sallyport.app.shared import Shared
from sallyport.control.services import Services
from sallyport.gateway.endpoint import Gateway
from sallyport.gateway.facts import Facts, feed_is_behind
from sallyport.gateway.idempotency import Idempotency
from sallyport.gateway.protocol import Door, Patience
from sallyport.gateway.record import Recorder
from sallyport.gateway.sources import make_sources
from sallyport.gateway.steps import Policy, TokenVerifier
from sallyport.gateway.tenant import tenant_route
from sallyport.gateway.webtrigger import WebTriggers
from sallyport.model.access import VerifiedToken
from sallyport.oauth import OAuth, build_routes
from sallyport.observe import metrics
from sallyport.observe.traces import Traces, open_traces
from sallyport.runtime.call import Invocation, Outcome, Target
from sallyport.settings import Settings
from sallyport.store.engine import Store
from sallyport.tokens.access import TokenCache
from sallyport.tokens.keys import Keys
from sallyport.tokens.nonce import PURPOSE, Nonces
from sallyport.web.api.app import build_api
from sallyport.web.consent import ConsentPages
from sallyport.web.errors import bare_refusal, exception_handlers
from sallyport.web.gate import NotSetUpGate
from sallyport.web.pages import build_pages


class Runs(Protocol):
    """What runs the functions of apps."""

    async def invoke(self, target: Target, call: Invocation) -> Outcome: ...

    def submit(self, target: Target, call: Invocation, done: Callable[[Outcome], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class WayIn:
    """`door` makes the protocol of connections, which answers calls and desks in front of `asgi`.

    `ending` is to be set when no more is taken.
    """

    asgi: ASGIApp
    door: Door
    ending: asyncio.Event
    facts: Facts
    policy: Policy
    recorder: Recorder
    store: Store

    def measure(self) -> None:
        """Bring the gauges up to date."""
        limits = self.policy.limits
        metrics.FACTS.set(len(self.facts))
        metrics.FACT_LOADS.set(self.facts.loads)
        metrics.RATE_BUCKETS.labels("accepted").set(len(limits.accepted_buckets))
        metrics.RATE_BUCKETS.labels("refused").set(len(limits.refused_buckets))
        metrics.RECORDS_DROPPED.labels("calls").set(self.recorder.dropped)
        metrics.RECORDS_DROPPED.labels("usage").set(self.recorder.uncounted)


@asynccontextmanager
async def open_way_in(
    settings: Settings,
    services: Services,
    keys: Keys,
    runs: Runs,
    owner: str,
    shared: Shared,
) -> AsyncIterator[WayIn]:
    """The way in for as long as the block; then every record is written.

    `owner` is what this process calls itself where it claims idempotency keys.
    """
    store = services.store
    facts = Facts(store)
    traces = open_traces(settings.otlp_endpoint, settings.trace_percent)
    policy = _policy(settings, services, keys, shared, traces)
    recorder = Recorder(store, policy.traces)
    idempotency = Idempotency(
        store,
        owner,
        waits_ms=settings.queue_ms,
        most_keys=settings.idempotency_keys,
        most_bytes=settings.idempotency_mb * 1024 * 1024,
    )
    gateway = Gateway(facts, policy, runs.invoke, idempotency, recorder, store.clock)
    web_triggers = WebTriggers(
        store,
        facts,
        policy,
        runs.invoke,
        recorder,
        shared.count,
    )
    oauth = OAuth(
        store,
        keys,
        settings.address,
        ConsentPages(services),
        services.site_url,
        nonces=policy.nonces,
        limits=shared.requests,
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
        if store.feed.is_behind and scope["type"] == "http":
            await bare_refusal(Request(scope, receive), feed_is_behind())(scope, receive, send)
        elif gateway.handles(scope):
            await gateway(scope, receive, send)
        elif web_triggers.handles(scope):
            await web_triggers(scope, receive, send)
        else:
            await site(scope, receive, send)

    asgi = NotSetUpGate(public, services)
    is_fast = bool(settings.fast_path)
    door = Door(
        gateway,
        runs.submit,
        lambda: is_fast and asgi.is_lifted,
        _patience(settings),
        settings.proxies,
        find_desks(oauth, store.feed),
    )
    recorder.start()
    try:
        yield WayIn(asgi, door, services.ending, facts, policy, recorder, store)
    finally:
        await recorder.close()
        await asyncio.to_thread(traces.close)


def _policy(
    settings: Settings, services: Services, keys: Keys, shared: Shared, traces: Traces
) -> Policy:
    store = services.store
    return Policy(
        sources=make_sources(settings.bundles),
        verify=_verifier(store, keys, settings.address),
        public_url=settings.address,
        forge_compatible=settings.compat == "forge",
        limits=shared.limits,
        proofs=shared.proofs,
        share_proof=shared.share_proof,
        nonces=Nonces(store.sealer.derive(PURPOSE)) if settings.dpop_nonces else None,
        site_url=services.site_url,
        traces=traces,
    )


def _verifier(store: Store, keys: Keys, issuer: str) -> TokenVerifier:
    cache = TokenCache()
    store.feed.follow(cache.hear)

    def verify(raw: str, now: int) -> VerifiedToken:
        return cache.verify(keys.ring, issuer, raw, now)

    return verify


def _patience(settings: Settings) -> Patience:
    return Patience(
        head_s=settings.head_timeout_ms / 1000,
        body_s=settings.body_timeout_ms / 1000,
        idle_s=settings.idle_timeout_ms / 1000,
        connections=settings.connections,
    )
