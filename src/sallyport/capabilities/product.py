"""Product APIs: requests of app code to the site's product, as the app or as a user.

They leave with a token of the platform, contract section (e.4); docs/reference/product-apis.md.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from sallyport.capabilities.asked import check_method, sent_headers, spend
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.capabilities.sending import Sender
from sallyport.capabilities.shape import Ask, Headers, Reply
from sallyport.manifest.canonical import canonical_segments
from sallyport.observe import metrics
from sallyport.runtime.running import RunningCall
from sallyport.store.authority import site_role
from sallyport.store.directory import product_upstream
from sallyport.store.engine import Store
from sallyport.tokens.keys import Keys
from sallyport.tokens.outbound import AppCall, mint_outbound
from sallyport.vocab.clock import MINUTE
from sallyport.vocab.ids import is_uuid
from sallyport.vocab.urls import Url, read_url

LONGEST_QUERY: Final = 8_192
IMPERSONATIONS_A_MINUTE: Final = 1_000

# Who calls is said by the platform's token alone.
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "dpop"})
_IDENTITY: Final = ("x-sallyport-", "x-slauth-")
_OPTIONS: Final = frozenset({"product", "as", "accountId"})


@dataclass(frozen=True, slots=True)
class _User:
    account_id: str
    impersonated: bool


class ProductApis:
    """The capability `product`: forwards to the upstream that the operator declared."""

    def __init__(self, store: Store, keys: Keys, issuer: str, sender: Sender) -> None:
        self._store = store
        self._keys = keys
        self._issuer = issuer
        self._sender = sender
        self._minute = 0
        self._impersonations: Counter[str] = Counter()

    async def __call__(self, running: RunningCall, ask: Ask) -> Reply:
        """Carry out one request. Raises `CapabilityRefused`."""
        started = time.monotonic()
        product = str(running.call.context["product"])
        who = "user" if ask.options.get("as") == "user" else "app"
        shown = f"{product} {ask.method[:20]} {ask.path.partition('?')[0][:500]} as {who}"
        try:
            reply = await self._forward(running, ask, product)
        except CapabilityRefused as refused:
            metrics.OUTBOUND.labels("product", refused.code).inc()
            running.report("WARN", f"{shown} refused: {refused.message} ({refused.code})")
            raise
        elapsed = time.monotonic() - started
        metrics.OUTBOUND.labels("product", f"{reply.status // 100}xx").inc()
        metrics.OUTBOUND_SECONDS.labels("product").observe(elapsed)
        running.report("DEBUG", f"{shown}: {reply.status}, {elapsed * 1000:.0f} ms")
        return reply

    async def _forward(self, running: RunningCall, ask: Ask, product: str) -> Reply:
        _check_options(ask, product)
        method = check_method(ask.method)
        target = canonical_target(ask.path)
        headers = sent_headers(ask, _CREDENTIALS)
        user = await self._user(running, ask)
        spend(running, "product")
        base = await self._upstream(product)
        token = mint_outbound(
            self._keys.ring,
            self._issuer,
            base.origin,
            _app_call(running, product, user),
            self._store.clock.now(),
        )
        kept = tuple(
            (name, value)
            for name, value in headers
            if not name.replace("_", "-").startswith(_IDENTITY)
        )
        if not any(name == "traceparent" for name, _ in kept):
            kept += _traceparent(running)
        return await self._sender.send(
            method,
            Url(base.scheme, base.host, base.port, base.target.rstrip("/") + target),
            (*kept, ("authorization", f"Bearer {token}")),
            ask.body,
            running.seconds_left,
        )

    async def _user(self, running: RunningCall, ask: Ask) -> _User | None:
        """Whom the request is made for; None for the app itself."""
        if ask.options.get("as", "app") == "app":
            return None
        wanted = ask.options.get("accountId")
        if wanted is None or wanted == running.account_id:
            if running.account_id is None:
                raise CapabilityRefused(
                    401,
                    "NEEDS_AUTHENTICATION_ERR",
                    "Nobody is signed in to this call: give asUser an account, or use asApp",
                )
            return _User(running.account_id, impersonated=False)
        if not any(scope.allow_impersonation for scope in running.permissions.scopes):
            raise CapabilityRefused(
                403,
                "IMPERSONATION_NOT_ALLOWED",
                "No scope in the manifest's permissions.scopes has allowImpersonation: true",
            )
        site_id = running.target.site_id
        if not is_uuid(wanted) or await self._store.read(site_role, wanted, site_id) is None:
            # The same for a stranger and for nobody: accounts of other sites are not told apart.
            raise CapabilityRefused(
                403, "IMPERSONATION_NOT_ALLOWED", "The account is no active member of this site"
            )
        self._count_impersonation(str(running.call.context["appId"]))
        return _User(wanted, impersonated=True)

    def _count_impersonation(self, app_id: str) -> None:
        """Contract section (i): 1,000 a minute for each app, over all of its installations."""
        minute = self._store.clock.now() // MINUTE
        if minute != self._minute:
            self._minute = minute
            self._impersonations.clear()
        self._impersonations[app_id] += 1
        if self._impersonations[app_id] > IMPERSONATIONS_A_MINUTE:
            raise CapabilityRefused(
                429,
                "RATE_LIMIT_EXCEEDED",
                f"An app may impersonate {IMPERSONATIONS_A_MINUTE} times a minute",
            )

    async def _upstream(self, product: str) -> Url:
        text = await self._store.read(product_upstream, product)
        if text is None:
            raise CapabilityRefused(
                501,
                "PRODUCT_UPSTREAM_MISSING",
                f"The operator of this platform has declared no upstream for {product}",
            )
        return read_url(text)


def _traceparent(running: RunningCall) -> Headers:
    """The trace of the call that runs, for the product's own; a timer has none."""
    sent = running.call.request.get("headers", {}).get("traceparent", ())
    return tuple(("traceparent", value) for value in sent)


def canonical_target(path: str) -> str:
    """Path and query as they go to the upstream. Raises `CapabilityRefused`.

    The path is in canonical form; a slash at its end may stay, since some APIs tell by it.
    """
    plain, mark, query = path.partition("?")
    try:
        canonical_segments(plain if plain == "/" else plain.removesuffix("/"))
    except ValueError as error:
        raise CapabilityRefused(
            400, "PATH_NOT_CANONICAL", f"The path is refused: {error}"
        ) from None
    if len(query) > LONGEST_QUERY or not all("!" <= each <= "~" and each != "#" for each in query):
        raise CapabilityRefused(
            400, "PATH_NOT_CANONICAL", "The query is too long or not percent-encoded"
        )
    return plain + mark + query


def _check_options(ask: Ask, product: str) -> None:
    if ask.options.keys() - _OPTIONS or ask.options.get("as", "app") not in ("app", "user"):
        raise CapabilityRefused(
            400, "INVALID_REQUEST", "A product request has the options product, as and accountId"
        )
    wanted = ask.options.get("product", product)
    if wanted != product:
        raise CapabilityRefused(
            403,
            "PRODUCT_NOT_ALLOWED",
            f"Request {wanted[:64]} is not allowed from {product} context.",
        )


def _app_call(running: RunningCall, product: str, user: _User | None) -> AppCall:
    impersonated = user is not None and user.impersonated
    return AppCall(
        app_id=str(running.call.context["appId"]),
        environment_id=running.target.environment_id,
        installation_id=running.installation_id,
        site_id=running.target.site_id,
        product=product,
        invocation_id=running.call.id,
        account_id=None if user is None else user.account_id,
        impersonated=impersonated,
        scopes=tuple(
            scope.name
            for scope in running.permissions.scopes
            if scope.allow_impersonation or not impersonated
        ),
    )
