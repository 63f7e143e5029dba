"""The gateway's refusals: their texts, and the headers that go with them.

401 is for a bad token, 403 for a good token without authority (RFC 6750 section 3.1). Granted
scopes are told only to the bearer of the token, who is the one that gets the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from sallyport.gateway.call import Address, Call
from sallyport.gateway.limits import CallLimits, too_many
from sallyport.model.directory import Site
from sallyport.observe.metrics import LIMITS_REACHED
from sallyport.scopes.decide import Denied
from sallyport.tokens.bearer import challenges, error_of
from sallyport.vocab.errors import Reason, Refused


def unknown_site(address: Address, host: str) -> Refused:
    named = f"host {host[:253]!r}" if address.by_host else f"cloud id {address.cloud_id}"
    return Refused(
        Reason.SITE_UNKNOWN,
        f"There is no site with the {named}.",
        fix="Look the cloud id up at https://<site>/_edge/tenant_info, or use the site's own host.",
    )


def unknown_product(site: Site, product: str) -> Refused:
    return Refused(
        Reason.PRODUCT_UNKNOWN,
        f"{site.name} does not run {product}.",
        fix=f"Use one of: {', '.join(site.products)}.",
    )


def not_installed(site: Site, address: Address) -> Refused:
    environment = address.environment_id or "production"
    return Refused(
        Reason.APP_NOT_INSTALLED,
        f"The app {address.app_id} is not installed on {site.name} for {address.product} in the "
        f"environment {environment}.",
        fix="Check app id and environment id in the base URL, or have the app installed there.",
    )


def unknown_route(app_path: str) -> Refused:
    return Refused(
        Reason.ROUTE_UNKNOWN,
        f"The app declares no route for {app_path[:255]}.",
        fix="Compare the path with the routes in the app's API documentation; case counts.",
    )


def method_not_allowed(method: str, operations: Iterable[str]) -> Refused:
    allowed = ", ".join(sorted(operations))
    return Refused(
        Reason.METHOD_NOT_ALLOWED,
        f"This path takes {allowed}, not {method[:16]}.",
        fix=f"Use {allowed}.",
        headers={"Allow": allowed},
    )


def unless(denied: Denied | None, site: Site | None) -> None:
    """Raise what a rule denied."""
    if denied is None:
        return
    members: dict[str, object] = {}
    if denied.required:
        members = {
            "required_scopes": list(denied.required),
            "granted_scopes": list(denied.granted),
            "missing_scopes": list(denied.missing),
        }
    if site is not None:
        members["site"] = site.host
    raise Refused(denied.reason, denied.detail, fix=denied.fix, members=members)


_LIMITED = frozenset({"limits", "idempotency", "function"})


def counted(call: Call, refused: Refused, limits: CallLimits) -> Refused:
    """What a refused caller is told: why, or, where it asks too often, that alone.

    From the gate of the limits on, calls are counted by who makes them; before it by where they
    come from, so that nobody fills the records or guesses tokens at will.
    """
    if call.gate in _LIMITED or refused.reason.status >= 500:
        return refused
    return asked_too_often(call, limits) or refused


def asked_too_often(call: Call, limits: CallLimits) -> Refused | None:
    """Count an answer that needs no credentials; the refusal, where its address had too many."""
    site_id = call.site.id if call.site is not None else None
    standing = limits.charge_refusal(call.peer, site_id, call.now)
    if standing is None or not standing.wait:
        return None
    call.gate = "limits"
    return too_many(standing)


def idempotency_key_invalid(longest: int) -> Refused:
    return Refused(
        Reason.IDEMPOTENCY_KEY_INVALID,
        f"The Idempotency-Key is not one string of 1 to {longest} characters.",
        fix='Send one header, as Idempotency-Key: "<a new UUID for each thing to be done>".',
    )


def idempotency_running() -> Refused:
    return Refused(
        Reason.IDEMPOTENCY_RUNNING,
        "The first call with this Idempotency-Key has no answer yet.",
        fix="Send the same call again later: it gets the answer of the first.",
        headers={"Retry-After": "1"},
    )


def idempotency_key_reused() -> Refused:
    return Refused(
        Reason.IDEMPOTENCY_KEY_REUSED,
        "An earlier call with this Idempotency-Key had another path, query, type or body.",
        fix="Use a new key for each thing to be done, and the same one to try that thing again.",
    )


def idempotency_interrupted() -> Refused:
    return Refused(
        Reason.IDEMPOTENCY_INTERRUPTED,
        "The platform stopped while the call with this Idempotency-Key ran. Whether it took effect "
        "is not known, so it is not run again.",
        fix="Find out from the app what was done; use a new key to do it again.",
    )


def idempotency_unkept(status: int) -> Refused:
    return Refused(
        Reason.IDEMPOTENCY_UNKEPT,
        f"The call with this Idempotency-Key was answered with status {status}; its body was too "
        "large to keep. It is not run again.",
        fix="Read the result from the app; use a new key to do it again.",
        members={"answered_status": status},
    )


def idempotency_full(most: int) -> Refused:
    LIMITS_REACHED.labels("idempotency_keys").inc()
    return Refused(
        Reason.IDEMPOTENCY_FULL,
        f"The app on this site has {most} idempotency keys of the last 24 hours, as many as are "
        "kept.",
        fix="Send the call later, or without a key.",
        headers={"Retry-After": "60"},
    )


def failed_inside(trace_id: str) -> Refused:
    """The platform's own fault; what it was is in the operator's log alone."""
    return Refused(
        Reason.INTERNAL,
        f"The platform could not carry out this call. Trace id {trace_id}.",
        fix="Give the trace id to the operator of this platform.",
    )


def facts_moved() -> Refused:
    """No decision from facts that changed each time that they were read."""
    return Refused(
        Reason.FACTS_STALE,
        "The facts about this call changed too quickly to decide it.",
        fix="Try again.",
        headers={"Retry-After": "1"},
    )


def payload_too_large(most: int) -> Refused:
    LIMITS_REACHED.labels("payload").inc()
    return Refused(
        Reason.PAYLOAD_TOO_LARGE,
        f"The body is larger than {most // (1024 * 1024)} MB.",
        fix="Send less in one request.",
    )


def is_accepted(content_types: Sequence[str], accept: Sequence[str]) -> bool:
    """Whether the one Content-Type is among those that the route declares."""
    if len(content_types) != 1:
        return False
    return content_types[0].partition(";")[0].strip().lower() in accept


def media_type_unsupported(accept: Sequence[str]) -> Refused:
    return Refused(
        Reason.MEDIA_TYPE_UNSUPPORTED,
        f"This route takes bodies of {', '.join(accept)} only.",
        fix=f"Send Content-Type: {accept[0]}.",
    )


def is_acceptable(ranges: Sequence[str], accept: Sequence[str]) -> bool:
    """Whether an Accept header leaves room for one of the types (RFC 9110 section 12.5.1)."""
    if not ranges:
        return True
    asked = ",".join(ranges)
    if len(asked) <= _LONGEST_KEPT:
        return _leaves_room_again(asked, tuple(accept))
    return _leaves_room(asked, tuple(accept))


def _leaves_room(asked: str, accept: tuple[str, ...]) -> bool:
    weights: dict[str, bool] = {}
    for each in asked.split(","):
        media_range, _, parameters = each.partition(";")
        weights[media_range.strip().lower()] = _NO_WEIGHT.search(parameters) is None
    return any(
        # The most specific range decides.
        weights.get(kind, weights.get(f"{kind.partition('/')[0]}/*", weights.get("*/*", False)))
        for kind in accept
    )


_LONGEST_KEPT = 256
_leaves_room_again = lru_cache(maxsize=1024)(_leaves_room)
_NO_WEIGHT = re.compile(r"(?:^|;)\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)", re.ASCII | re.IGNORECASE)


def not_acceptable(accept: Sequence[str]) -> Refused:
    return Refused(
        Reason.NOT_ACCEPTABLE,
        f"This route answers with {', '.join(accept)} only.",
        fix=f"Send Accept: {accept[0]}, or leave the header out.",
    )


def headers_too_large(most: int, largest: int) -> Refused:
    LIMITS_REACHED.labels("headers").inc()
    return Refused(
        Reason.HEADERS_TOO_LARGE,
        f"The request has more than {most} headers, or more than {largest // 1024} KB of them.",
        fix="Send fewer and smaller headers.",
    )


_CHALLENGED = {
    Reason.SCOPE_MISSING: "insufficient_scope",
    Reason.PRODUCT_SCOPE_MISSING: "insufficient_scope",
}


def challenge(refused: Refused, metadata_url: str, *, as_dpop: bool = False) -> str | None:
    """The WWW-Authenticate value for a refusal, RFC 6750 section 3 and RFC 9728 section 5.1.

    `as_dpop`: the token came with the scheme DPoP (RFC 9449 section 7.1).

    A request without credentials gets no error code.
    """
    reason = refused.reason
    if reason.status != 401 and reason not in _CHALLENGED:
        return None
    parts = ['realm="sallyport"']
    if reason is not Reason.TOKEN_MISSING:
        parts.append(f'error="{_CHALLENGED.get(reason) or error_of(reason)}"')
        parts.append(f'error_description="{_quotable(refused.detail)}"')
    required = refused.members.get("required_scopes")
    if required:
        parts.append(f'scope="{" ".join(required)}"')
    parts.append(f'resource_metadata="{metadata_url}"')
    return challenges(", ".join(parts), as_dpop)


def _quotable(text: str) -> str:
    return re.sub(r"[^\x20\x21\x23-\x5b\x5d-\x7e]", "", text)
