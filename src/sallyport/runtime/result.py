"""The result of a handler, checked: a worker's output is untrusted.

The worker checks the same rules first, to tell the developer what to change; here nothing is
believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from sallyport.runtime.call import Answer, Failure
from sallyport.runtime.frames import LARGEST_BODY
from sallyport.runtime.headers import BODILESS, check_headers


class _Result(msgspec.Struct, forbid_unknown_fields=True):
    status: int
    headers: list[tuple[str, str]]
    children: bool = False


class _Failure(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["exception", "bad_result", "import_error"]
    message: str
    trace: str | None = None
    children: bool = False


# What a msgspec decoder raises for bytes that are no JSON of the expected shape.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Checked:
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
    try:
        result = _result.decode(header)
    except UNREADABLE as error:
        return _bad(f"the result is not readable: {error}", duration_us)
    problem = _problem(result, body)
    if problem is not None:
        return _bad(problem, duration_us)
    headers = tuple(result.headers)
    if result.status in BODILESS:
        body = b""
    if body and not any(name == "content-type" for name, _ in headers):
        headers += (("content-type", "application/json"),)
    return Checked(Answer(result.status, headers, body, duration_us), None, result.children)


def check_failure(header: bytes, duration_us: int) -> Checked:
    """The failure that a worker's FAILURE frame reports."""
    try:
        failure = _failure.decode(header)
    except UNREADABLE as error:
        return _bad(f"the failure is not readable: {error}", duration_us)
    outcome = Failure(failure.kind, failure.message[:1000], duration_us)
    return Checked(outcome, failure.trace, failure.children)


def _problem(result: _Result, body: bytes) -> str | None:
    if not 200 <= result.status <= 599:
        return f"statusCode must be 200 to 599, not {result.status}"
    if len(body) > LARGEST_BODY:
        return "the body is larger than 5 MB"
    return check_headers(result.headers)


def _bad(message: str, duration_us: int) -> Checked:
    # A worker that sends what ours never would is not to be used again.
    return Checked(Failure("bad_result", message, duration_us), None, leftovers=True)
