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


def convert(result: Any, module_type: str | None = None) -> tuple[bytes, bytes]:
    """A handler's result as the header of a RESULT frame and body bytes. Raises `BadResult`.

    The shape is contract section (e.5); members other than these three are ignored. A web trigger
    may name one of its static outputs instead; what a scheduled trigger returns goes nowhere.
    """
    if type(result) is dict and module_type != "scheduledTrigger":
        header = _known.get(_key(result))
        if header is not None:
            return header, _body(result.get("body"))
    return _convert(result, module_type)


def with_leftovers(header: bytes) -> bytes:
    """The same header, of a call that left processes behind."""
    return header[:-1] + b',"children":true}'


# What was said of equal statuses and headers, for they depend on nothing else.
_known: dict[Any, bytes] = {}
_MOST_KNOWN = 256
_LONGEST_KNOWN = 512


def _key(result: dict[str, Any]) -> Any:
    """What the header of a result depends on, or None where it is not to be known by."""
    status, found = result.get("statusCode"), result.get("headers")
    if type(status) is not int:
        return None
    if found is None:
        return status
    if type(found) is not dict:
        return None
    for value in found.values():
        if type(value) is not str:
            return None
    return (status, *found.items())


def _convert(result: Any, module_type: str | None) -> tuple[bytes, bytes]:
    if module_type == "scheduledTrigger":
        return _header(204, []), b""
    if module_type == "webtrigger" and isinstance(result, Mapping) and "statusCode" not in result:
        key = result.get("outputKey")
        if isinstance(key, str) and len(key) <= 255:
            return _header(204, [(headers.OUTPUT_KEY, quote(key))]), b""
    if not isinstance(result, Mapping):
        raise BadResult(
            f"the handler returned {type(result).__name__}; return a dict with 'statusCode'"
        )
    status = result.get("statusCode")
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise BadResult(f"'statusCode' must be an integer from 200 to 599, not {status!r:.100}")
    body = _body(result.get("body"))
    pairs = _headers(result.get("headers"))
    problem = headers.check_headers(pairs) if pairs else None
    if problem is not None:
        raise BadResult(problem)
    header = _header(int(status), pairs)
    if type(result) is dict and len(header) <= _LONGEST_KNOWN and len(_known) < _MOST_KNOWN:
        key = _key(result)
        if key is not None:
            _known[key] = header
    return header, body


def _header(status: int, pairs: list[tuple[str, str]]) -> bytes:
    return json.dumps({"status": status, "headers": pairs}, separators=(",", ":")).encode()


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
    made = _bytes(body)
    if len(made) > frames.LARGEST_BODY:
        raise TooLarge("the body is larger than 5 MB")
    return made


def _bytes(body: Any) -> bytes:
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
