"""A call as a span, named as OpenTelemetry's conventions for HTTP servers name things."""

from __future__ import annotations

from sallyport.gateway.call import Call
from sallyport.observe.traces import Span, Value
from sallyport.vocab.errors import Refused


def span_of(call: Call, status: int, duration_us: int, refused: Refused | None) -> Span:
    """The span of a call that was answered. It holds ids, never what a body or a header held."""
    route = call.found.route if call.found is not None else None
    told: dict[str, Value | None] = {
        "http.request.method": call.method[:16],
        "http.response.status_code": status,
        "http.route": route.path if route is not None else None,
        "sallyport.decision_id": call.decision_id,
        "sallyport.site_id": call.site.id if call.site is not None else None,
        "sallyport.app_id": call.address.app_id if call.address is not None else None,
        "sallyport.environment_id": (
            call.installed.environment.id if call.installed is not None else None
        ),
        "sallyport.client_id": call.token.client_id if call.token is not None else None,
        "sallyport.gate": call.gate if refused is not None else None,
        "sallyport.reason": refused.reason.code if refused is not None else None,
        "sallyport.invocation_id": call.invocation_id if call.request else None,
        "sallyport.worker_us": call.worker_us,
    }
    return Span(
        own=call.traceparent,
        parent=call.parent,
        name=f"{call.method[:16]} {route.path}" if route is not None else call.method[:16],
        start_us=call.now * 1_000,
        duration_us=duration_us,
        failed=status >= 500,
        attributes={name: value for name, value in told.items() if value is not None},
    )
