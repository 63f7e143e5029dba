"""What a handler returned, as what is sent: checked here to tell the developer what to change.

The platform checks the same again and believes nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from sallyport.runtime import frames, headers
else:
    import _sallyport_frames as frames
    import _sallyport_headers as headers


class BadResult(Exception):
    """What the handler returned cannot be sent; the text says what to change."""


class TooLarge(BadResult):
    """What the handler returned is more than may be sent."""


def convert(
    result: Any, module_type: str | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    """A handler's result as status, headers and body bytes. Raises `BadResult`.

    The shape is contract section (e.5); members other than these three are ignored. A web trigger
    may name one of its static outputs instead; what a scheduled trigger returns goes nowhere.
    """
    if module_type == "scheduledTrigger":
        return 204, [], b""
    if module_type == "webtrigger" and isinstance(result, Mapping) and "statusCode" not in result:
        key = result.get("outputKey")
        if isinstance(key, str) and len(key) <= 255:
            return 204, [(headers.OUTPUT_KEY, quote(key))], b""
    if not isinstance(result, Mapping):
        raise BadResult(
            f"the handler returned {type(result).__name__}; return a dict with 'statusCode'"
        )
    status = result.get("statusCode")
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise BadResult(f"'statusCode' must be an integer from 200 to 599, not {status!r:.100}")
    body = _body(result.get("body"))
    if len(body) > frames.LARGEST_BODY:
        raise TooLarge("the body is larger than 5 MB")
    pairs = _headers(result.get("headers"))
    problem = headers.check_headers(pairs) if pairs else None
    if problem is not None:
        raise BadResult(problem)
    return int(status), pairs, body


def encode_answer(status: int, pairs: list[tuple[str, str]], *, leftovers: bool) -> bytes:
    """The header of a RESULT frame."""
    if not pairs and not leftovers:
        return b'{"status":%d,"headers":[]}' % status
    return json.dumps({"status": status, "headers": pairs, "children": leftovers}).encode()


def describe(error: BaseException) -> str:
    """The exception in one line."""
    with contextlib.suppress(BaseException):
        return f"{type(error).__name__}: {error}"[:1000]
    return type(error).__name__


# Made once: `json.dumps` would make an encoder for each body.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    try:
        if isinstance(body, str):
            return body.encode()
        if isinstance(body, (bytes, bytearray, memoryview)):
            return bytes(body)
        if isinstance(body, (Mapping, list, tuple)):
            return _encode(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadResult(f"'body' cannot be sent: {error}") from None
    raise BadResult(f"'body' must be str, bytes, dict, list or None, not {type(body).__name__}")


def _headers(found: Any) -> list[tuple[str, str]]:
    if found is None:
        return []
    if not isinstance(found, Mapping):
        raise BadResult(f"'headers' must be a dict, not {type(found).__name__}")
    pairs = []
    for name, values in found.items():
        if not isinstance(name, str):
            raise BadResult(f"a header's name must be str, not {type(name).__name__}")
        for value in values if isinstance(values, (list, tuple)) else (values,):
            if not isinstance(value, str):
                raise BadResult(f"the header {name!r} must be str or a list of str")
            if name.lower() != "content-length":
                pairs.append((name.lower(), value))
    return pairs
