"""Parameters as they arrive: read once, bounded, with what came twice remembered.

Empty values count as absent and unknown names are ignored (RFC 6749 sections 3.1 and 3.2).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from sallyport.oauth.errors import INVALID_REQUEST, JSON, OAuthError
from sallyport.vocab.message import Asked

LARGEST_BODY = 32 * 1024
LARGEST_QUERY = 16 * 1024
MOST_FIELDS = 60
FORM = "application/x-www-form-urlencoded"


class Malformed(Exception):
    """What arrived cannot be read as parameters. The text says why."""


class Parameters:
    """The parameters of one request. `sent` are the names that came, `repeated` those twice."""

    def __init__(self, pairs: Iterable[tuple[str, str]], known: frozenset[str]) -> None:
        self._values: dict[str, str] = {}
        self.repeated: set[str] = set()
        for name, value in pairs:
            if name not in known:
                continue
            if name in self._values:
                self.repeated.add(name)
            self._values[name] = value

    def get(self, name: str) -> str | None:
        """The value, None where it is absent, empty, or came more than once."""
        if name in self.repeated:
            return None
        return self._values.get(name) or None

    @property
    def sent(self) -> frozenset[str]:
        return frozenset(self._values)

    def all(self) -> dict[str, str]:
        """Everything that came, empty values too; for requests in which nothing came twice."""
        return dict(self._values)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """What is to be brought back unchanged; for requests in which nothing came twice."""
        return tuple((name, value) for name, value in self._values.items() if value)


def read_query(request: Request, known: frozenset[str]) -> Parameters:
    """The parameters of the address. Raises `Malformed`."""
    raw: bytes = request.scope["query_string"]
    if len(raw) > LARGEST_QUERY:
        raise Malformed(f"The query is longer than {LARGEST_QUERY} bytes.")
    return Parameters(_read_form(raw), known)


def require_form(asked: Asked) -> str:
    """The media type of a request whose body may be read. Raises `OAuthError`."""
    if asked.query:
        raise OAuthError(INVALID_REQUEST, "Send parameters in the body, not in the address.")
    media_type = asked.value(b"content-type")
    if media_type == FORM:
        return FORM
    media_type = media_type.partition(";")[0].strip().lower()
    if media_type not in (FORM, JSON):
        raise OAuthError(INVALID_REQUEST, f"Send the body as {FORM} or {JSON}.", status=415)
    return media_type


def read_body(asked: Asked, body: bytes | None, known: frozenset[str]) -> Parameters:
    """The parameters of the body, a form or JSON (contract section (f.3)). Raises `OAuthError`.

    `body` is None where more came than `LARGEST_BODY`.
    """
    media_type = require_form(asked)
    if body is None:
        raise OAuthError(
            INVALID_REQUEST, f"The body is larger than {LARGEST_BODY} bytes.", status=413
        )
    try:
        pairs = _read_form(body) if media_type == FORM else _read_json(body)
    except Malformed as problem:
        raise OAuthError(INVALID_REQUEST, str(problem)) from None
    parameters = Parameters(pairs, known)
    # What a token is for may come twice (RFC 8707 section 2); who reads it says what becomes of it.
    if parameters.repeated - {"resource"}:
        names = ", ".join(sorted(parameters.repeated))
        raise OAuthError(INVALID_REQUEST, f"Sent more than once: {names}.")
    return parameters


def _read_form(raw: bytes) -> list[tuple[str, str]]:
    """The pairs of a form, each with its `=`."""
    if not raw:
        return []
    try:
        if raw.count(b"&") >= MOST_FIELDS:
            raise ValueError
        pairs = [pair.split("=", 1) for pair in raw.decode("ascii").split("&")]
        return [(unquoted(name), unquoted(value)) for name, value in pairs]
    except ValueError:
        raise Malformed("The parameters are not well-formed, or too many.") from None


def unquoted(text: str) -> str:
    """What form-encoded ASCII stands for. Raises `ValueError` where it is no UTF-8."""
    text = text.replace("+", " ")
    return unquote_to_bytes(text).decode("utf-8") if "%" in text else text


def _read_json(raw: bytes) -> list[tuple[str, str]]:
    try:
        # Every object becomes a list of its members, so that one that came twice shows.
        members: Any = json.loads(raw.decode("utf-8"), object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        raise Malformed("The body is not JSON.") from None
    if not isinstance(members, _Members) or len(members) > MOST_FIELDS:
        raise Malformed("The body must be one JSON object of strings.")
    pairs = []
    for name, value in members:
        if not isinstance(value, str) or not value.isprintable():
            raise Malformed("The body must be one JSON object of printable strings.")
        pairs.append((name, value))
    return pairs


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, in order."""
