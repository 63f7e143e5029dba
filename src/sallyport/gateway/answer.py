"""What goes back to the caller: a function's answer, or a refusal, as status, headers and bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from sallyport.gateway import refuse
from sallyport.gateway.call import Call
from sallyport.gateway.cors import Preflight, cors_headers
from sallyport.gateway.limits import limit_headers
from sallyport.runtime.call import Answer, Failure
from sallyport.vocab import problem
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.message import Reply

_FAILURES = {
    "exception": Reason.INVOCATION_FAILED,
    "import_error": Reason.INVOCATION_FAILED,
    "bad_result": Reason.INVOCATION_BAD_RESULT,
    "too_large": Reason.RESPONSE_TOO_LARGE,
    "out_of_memory": Reason.INVOCATION_OUT_OF_MEMORY,
    "worker_lost": Reason.INVOCATION_WORKER_LOST,
    "timeout": Reason.INVOCATION_TIMEOUT,
    "busy": Reason.RUNTIME_BUSY,
    "no_sandbox": Reason.SANDBOX_MISSING,
    "stale": Reason.FACTS_STALE,
}

_FAILURE_TEXTS = {
    Reason.INVOCATION_FAILED: "The app's function raised an error.",
    Reason.INVOCATION_BAD_RESULT: "The app's function returned something that is no response.",
    Reason.RESPONSE_TOO_LARGE: "The app's function returned more than 5 MB.",
    Reason.INVOCATION_OUT_OF_MEMORY: "The app's function needed more memory than it may have.",
    Reason.INVOCATION_WORKER_LOST: "The process that ran the app's function ended.",
    Reason.INVOCATION_TIMEOUT: "The app's function did not answer within its time limit.",
    Reason.RUNTIME_BUSY: "All workers of this installation are busy.",
    Reason.SANDBOX_MISSING: "The platform's host has no sandbox to run the app's function in.",
    Reason.FACTS_STALE: "The gateway could not confirm that what it knows is up to date.",
}

_FIXES = {
    Reason.RUNTIME_BUSY: "Try again later.",
    Reason.SANDBOX_MISSING: "Tell the operator: `sallyport doctor` says what is missing.",
    Reason.FACTS_STALE: "Try again in a moment.",
}
_PASSING = (Reason.RUNTIME_BUSY, Reason.FACTS_STALE)

_SCOPE_REASONS = (Reason.SCOPE_MISSING, Reason.PRODUCT_SCOPE_MISSING)


def common_headers(call: Call) -> tuple[tuple[str, str], ...]:
    """What every answer carries: correlation, contract section (h), and how its caller stands."""
    headers: tuple[tuple[str, str], ...] = (
        ("atl-traceid", call.trace_id),
        ("atl-request-id", call.decision_id),
        ("x-content-type-options", "nosniff"),
    )
    if call.replayed:
        headers += (("idempotency-replayed", "true"),)
    if call.nonce is not None:
        headers += (("dpop-nonce", call.nonce),)
    if call.standing is not None:
        headers += limit_headers(call.standing)
    return headers + cors_headers(call)


# Apps answer on the host where people sign in; a page of theirs must not act there.
_HARMLESS = (("content-security-policy", "default-src 'none'; sandbox"),)

# What would speak for the platform, or for all that its host serves; docs/reference/functions.md.
_OURS = frozenset(
    {
        "accept-ch",
        "alt-svc",
        "atl-request-id",
        "atl-traceid",
        "content-security-policy",
        "content-security-policy-report-only",
        "critical-ch",
        "date",
        "dpop-nonce",
        "idempotency-replayed",
        "nel",
        "origin-agent-cluster",
        "public-key-pins",
        "ratelimit",
        "ratelimit-policy",
        "report-to",
        "reporting-endpoints",
        "server",
        "service-worker-allowed",
        "set-login",
        "speculation-rules",
        "strict-transport-security",
        "via",
        "www-authenticate",
        "x-content-type-options",
        "x-failure-category",
    }
)
_OUR_PREFIXES = ("x-slauth-", "x-sallyport-")
_CORS_PREFIX = "access-control-"


def of_function(call: Call, answer: Answer, *, own_cors: bool = False) -> Reply:
    """A checked answer of the app, without the headers that are ours to set, and with ours.

    With `own_cors` the app says itself which pages may call it.
    """
    kept = _kept(answer.headers, own_cors) if answer.headers else ()
    return Reply(answer.status, kept + common_headers(call) + _HARMLESS, answer.body)


def _kept(headers: tuple[tuple[str, str], ...], own_cors: bool) -> tuple[tuple[str, str], ...]:
    prefixes = _OUR_PREFIXES if own_cors else (*_OUR_PREFIXES, _CORS_PREFIX)
    if len(headers) == 1 and headers[0][0] == "content-type":
        return headers
    return tuple(
        pair for pair in headers if pair[0] not in _OURS and not pair[0].startswith(prefixes)
    )


def of_preflight(call: Call, preflight: Preflight) -> Reply:
    """The answer to a browser that asks whether its page may call."""
    return Reply(204, common_headers(call) + preflight.headers, b"")


def failure_refused(call: Call, failure: Failure) -> Refused:
    """A failed invocation as a refusal. What went wrong inside is for the log alone."""
    reason = _FAILURES[failure.kind]
    headers = {"Retry-After": "1"} if reason in _PASSING else {}
    return Refused(
        reason,
        f"{_FAILURE_TEXTS[reason]} Trace id {call.trace_id}.",
        fix=_FIXES.get(
            reason, "Give the trace id to the app's developer: `sallyport logs --trace` finds it."
        ),
        headers=headers,
        operator=failure.message,
    )


def problem_of(call: Call, refused: Refused) -> dict[str, Any]:
    """The problem document of a refused call."""
    document = problem.document(refused, trace_id=call.trace_id)
    document["decision_id"] = call.decision_id
    document["gate"] = call.gate
    return document


def of_refusal(
    call: Call, refused: Refused, document: dict[str, Any], public_url: str, *, forge: bool
) -> Reply:
    """A refusal as this platform answers it, or, for a scope mismatch, as the vendor does."""
    headers = [(name.lower(), value) for name, value in refused.headers.items()]
    headers += common_headers(call)
    headers.append(("cache-control", "no-store"))
    if forge and refused.reason in _SCOPE_REASONS:
        headers.append(("content-type", "application/json"))
        headers.append(("x-failure-category", "FAILURE_CLIENT_SCOPE_CHECK"))
        body = msgspec.json.encode({"code": 401, "message": "Unauthorized; scope does not match"})
        return Reply(401, tuple(headers), body)
    metadata = metadata_url(call, public_url)
    challenge = refuse.challenge(refused, metadata, as_dpop=call.as_dpop)
    if challenge is not None:
        headers.append(("www-authenticate", challenge))
    headers.append(("content-type", problem.MEDIA_TYPE))
    return Reply(refused.reason.status, tuple(headers), msgspec.json.encode(document))


def metadata_url(call: Call, public_url: str) -> str:
    """Where a client learns how to get a token for this resource (RFC 9728 section 3.1)."""
    root = f"{public_url}/.well-known/oauth-protected-resource"
    address, site, installed = call.address, call.site, call.installed
    if address is None or site is None or installed is None:
        return root
    app = f"{installed.app.id}_{installed.environment.id}"
    return f"{root}/svc/{address.product}/{site.id}/apps/{app}"
