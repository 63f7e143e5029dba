"""Outbound fetch: requests of app code to the hosts that its manifest declares, contract (l.4)."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urljoin

from sallyport.capabilities.addresses import is_declared
from sallyport.capabilities.asked import check_method, sent_headers, spend
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.capabilities.sending import AddressRefused, Sender
from sallyport.capabilities.shape import Ask, Headers, Reply
from sallyport.observe import metrics
from sallyport.runtime.running import RunningCall
from sallyport.vocab.urls import Url, read_url

NOT_DECLARED: Final = "REQUEST_EGRESS_ALLOWLIST_ERR"
MOST_REDIRECTS: Final = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MODES = frozenset({"follow", "manual", "error"})
_OF_THE_BODY = frozenset({"content-type", "content-encoding", "content-language"})
_CREDENTIALS = frozenset({"authorization", "cookie"})


class Fetch:
    """The capability `fetch`: the path of a request is a URL, docs/reference/outbound-fetch.md."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def __call__(self, running: RunningCall, ask: Ask) -> Reply:
        """Carry out one fetch. Raises `CapabilityRefused`."""
        started = time.monotonic()
        try:
            reply = await self._follow(running, ask)
        except CapabilityRefused as refused:
            metrics.OUTBOUND.labels("fetch", refused.code).inc()
            running.report("WARN", f"fetch {ask.method[:20]} refused: {refused.message}")
            raise
        elapsed = time.monotonic() - started
        metrics.OUTBOUND.labels("fetch", f"{reply.status // 100}xx").inc()
        metrics.OUTBOUND_SECONDS.labels("fetch").observe(elapsed)
        running.report(
            "DEBUG",
            f"fetch {ask.method[:20]} {_shown(ask.path)}: {reply.status}, "
            f"{len(reply.body)} bytes, {elapsed * 1000:.0f} ms",
        )
        return reply

    async def _follow(self, running: RunningCall, ask: Ask) -> Reply:
        mode = ask.options.get("redirect", "follow")
        if mode not in _MODES or ask.options.keys() - {"redirect"}:
            raise CapabilityRefused(400, "INVALID_REQUEST", "A fetch has the option redirect alone")
        method, body = check_method(ask.method), ask.body
        headers = sent_headers(ask, frozenset())
        text, declared = ask.path, running.permissions.fetch
        url = permitted(text, declared)
        for _ in range(MOST_REDIRECTS + 1):
            spend(running, "fetch")
            try:
                reply = await self._sender.send(method, url, headers, body, running.seconds_left)
            except AddressRefused:
                running.report(
                    "WARN", f"{url.host} leads to an address that this platform lets no app call."
                )
                raise _not_allowed(text) from None
            location = next((value for name, value in reply.headers if name == "location"), None)
            if reply.status not in _REDIRECTS or location is None or mode == "manual":
                return reply
            if mode == "error":
                raise CapabilityRefused(502, "REDIRECTED", f"{url.origin} redirects elsewhere")
            text = urljoin(str(url), location)
            to = permitted(text, declared)
            if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), b""
                headers = _without(headers, _OF_THE_BODY)
            if to.origin != url.origin:
                headers = _without(headers, _CREDENTIALS)
            url = to
        raise CapabilityRefused(502, "REDIRECTED", f"There were over {MOST_REDIRECTS} redirects")


def permitted(text: str, declared: tuple[str, ...]) -> Url:
    """The URL, if it is one and declared. Raises `CapabilityRefused` with the contract's texts."""
    try:
        url = read_url(text)
    except ValueError:
        raise _not_allowed(text) from None
    if not is_declared(url, declared):
        raise CapabilityRefused(
            403,
            NOT_DECLARED,
            f"URL not included in the external fetch backend permissions: {_shortened(text)}. "
            "Visit go.atlassian.com/forge-egress for more information.",
        )
    return url


def _not_allowed(text: str) -> CapabilityRefused:
    return CapabilityRefused(403, NOT_DECLARED, f"URL not allowed: {_shortened(text)}.")


def _without(headers: Headers, names: frozenset[str]) -> Headers:
    return tuple((name, value) for name, value in headers if name not in names)


def _shown(text: str) -> str:
    """A URL for the log: queries often hold secrets."""
    return _shortened(text.partition("?")[0].partition("#")[0])


def _shortened(text: str) -> str:
    return text if len(text) <= 1000 else text[:1000] + "..."
