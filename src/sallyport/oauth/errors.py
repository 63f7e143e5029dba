"""Refusals in the words of RFC 6749, and the one place that makes the JSON of replies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sallyport.vocab.message import Reply

Headers = tuple[tuple[str, str], ...]

JSON = "application/json"
NO_STORE: Headers = (("cache-control", "no-store"), ("pragma", "no-cache"))

INVALID_REQUEST = "invalid_request"
INVALID_CLIENT = "invalid_client"
INVALID_SCOPE = "invalid_scope"
UNAUTHORIZED_CLIENT = "unauthorized_client"
UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
ACCESS_DENIED = "access_denied"
TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"

_LONGEST = 500
_NOT_IN_A_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")


class OAuthError(Exception):
    """A refusal at the token and revocation endpoints (RFC 6749 section 5.2)."""

    def __init__(
        self,
        error: str,
        description: str,
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = plain(description)
        self.status = status
        self.headers = dict(headers or {})


def plain(description: str) -> str:
    """The characters that an `error_description` may hold (RFC 6749 section 5.2), bounded."""
    return _NOT_IN_A_DESCRIPTION.sub("?", description)[:_LONGEST]


def error_reply(error: OAuthError) -> Reply:
    return json_reply(
        {"error": error.error, "error_description": error.description},
        tuple((name.lower(), value) for name, value in error.headers.items()),
        status=error.status,
    )


def json_reply(told: Any, headers: Headers = (), *, status: int = 200) -> Reply:
    """What nobody may keep, as JSON."""
    return Reply(status, (*NO_STORE, *headers, ("content-type", JSON)), msgspec.json.encode(told))
