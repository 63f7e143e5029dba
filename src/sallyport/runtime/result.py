"""The result of a handler, checked: a worker's output is untrusted.

The worker checks the same rules first, to tell the developer what to change; here nothing is
believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

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
    if len(body) > LARGEST_BODY:
        return _bad(TOO_LARGE, duration_us, "too_large")
    problem = _problem(result)
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
