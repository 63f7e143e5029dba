"""Problem documents (RFC 9457): the one place that turns a refusal into bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from sallyport.vocab.errors import Refused

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "https://sallyport.dev/problems/"


def document(refused: Refused, *, trace_id: str | None = None) -> dict[str, Any]:
    """The members of the problem document, `code` and `message` included.

    `code` and `message` repeat status and detail in the vendor's envelope, contract section (h).
    """
    reason = refused.reason
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + reason.code.lower().replace("_", "-"),
        "title": reason.title,
        "status": reason.status,
        "detail": refused.detail,
        "reason": reason.code,
        "code": reason.status,
        "message": f"{reason.title}. {refused.detail}",
    }
    if refused.fix is not None:
        body["fix"] = refused.fix
    body.update(refused.members)
    if trace_id is not None:
        body["trace_id"] = trace_id
    return body


def encode(refused: Refused, *, trace_id: str | None = None) -> bytes:
    """The problem document as JSON text in UTF-8."""
    return msgspec.json.encode(document(refused, trace_id=trace_id))
