"""The result of a handler, checked: a worker's output is untrusted.

The worker checks the same rules first, to tell the developer what to change; here nothing is
believed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from sallyport.runtime.call import Answer, Failure
from sallyport.runtime.frames import LARGEST_BODY, MEGABYTE
from sallyport.runtime.headers import BODILESS, check_headers


class _Result(msgspec.Struct, forbid_unknown_fields=True):
    status: int
    headers: list[tuple[str, str]]
    children: bool = False


class _Failure(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["exception", "bad_result", "too_large", "out_of_memory", "import_error"]
    message: str
    trace: str | None = None
    children: bool = False


TOO_LARGE: Final = f"the body is larger than {LARGEST_BODY // MEGABYTE} MB"

# What a msgspec decoder raises for bytes that are no JSON of the expected shape.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Checked(NamedTuple):
    """An outcome, what to log of it, and whether the call left processes behind in the worker."""

    outcome: Answer | Failure
    trace: str | None
    leftovers: bool


_result = msgspec.json.Decoder(_Result)
_failure = msgspec.json.Decoder(_Failure)


def check_result(header: bytes, body: bytes, duration_us: int) -> Checked:
    """The answer that a worker's RESULT frame holds, or the `bad_result` that it is.

    `header` is JSON: `{"status": int, "headers": [[name, value], ...], "children"?: bool}`.
    """
    head = _read_again(header) if len(header) <= _LONGEST_KEPT else _read(header)
    if isinstance(head, str):
        return _bad(head, duration_us)
    if len(body) > LARGEST_BODY:
        return _bad(TOO_LARGE, duration_us, "too_large")
    if head.status in BODILESS:
        body = b""
    headers = head.with_type if body else head.headers
    return Checked(Answer(head.status, headers, body, duration_us), None, head.children)


class _Head(NamedTuple):
    """A header that was read and checked; `with_type` are its headers where there is a body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    with_type: tuple[tuple[str, str], ...]
    children: bool


def _read(header: bytes) -> _Head | str:
    """What the header of a result says, or what is wrong with it."""
    try:
        result = _result.decode(header)
    except UNREADABLE as error:
        return f"the result is not readable: {error}"
    problem = _problem(result)
    if problem is not None:
        return problem
    headers = with_type = tuple(result.headers)
    if not any(name == "content-type" for name, _ in headers):
        with_type += (("content-type", "application/json"),)
    return _Head(result.status, headers, with_type, result.children)


# Most answers of an app have the same few headers; what they say depends on nothing else.
_read_again = lru_cache(maxsize=1024)(_read)
_LONGEST_KEPT = 512


def check_failure(header: bytes, duration_us: int) -> Checked:
    """The failure that a worker's FAILURE frame reports."""
    try:
        failure = _failure.decode(header)
    except UNREADABLE as error:
        return _bad(f"the failure is not readable: {error}", duration_us)
    outcome = Failure(failure.kind, failure.message[:1000], duration_us)
    # A heap that was full once is not given back, and would be full again at once.
    is_spent = failure.children or failure.kind == "out_of_memory"
    return Checked(outcome, failure.trace, is_spent)


def _problem(result: _Result) -> str | None:
    if not 200 <= result.status <= 599:
        return f"statusCode must be 200 to 599, not {result.status}"
    return check_headers(result.headers)


def _bad(
    message: str, duration_us: int, kind: Literal["bad_result", "too_large"] = "bad_result"
) -> Checked:
    # A worker that sends what ours never would is not to be used again.
    return Checked(Failure(kind, message, duration_us), None, leftovers=True)
