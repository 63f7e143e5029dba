"""Requests to other servers by way of the platform: what `product` and `fetch` have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from sallyport_app import _platform

P = ParamSpec("P")
T = TypeVar("T")

Headers = Mapping[str, str | Sequence[str]]
Body = str | bytes | None

_REFUSED = "forge-proxy-error"


class RequestRefused(Exception):
    """The platform did not carry out a request, or the other server did not answer.

    `code` is stable, such as `REQUEST_EGRESS_ALLOWLIST_ERR`; `status` is the HTTP status that goes
    with it.
    """

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other server answered, whatever its status. Header names are lower case."""

    status: int
    header_pairs: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced by `\\ufffd`."""
        return self.body.decode("utf-8", "replace")

    @property
    def headers(self) -> dict[str, str]:
        """Names -> values; those of a name that occurs more than once are joined by commas."""
        joined: dict[str, str] = {}
        for name, value in self.header_pairs:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined

    def json(self) -> Any:
        """The body, parsed. Raises `ValueError` if it is not JSON."""
        return json.loads(self.body)


def send(
    capability: str,
    method: str,
    path: str,
    headers: Headers | None,
    body: Body,
    data: Any,
    options: Mapping[str, str],
) -> Answer:
    """One request. `data`, where it is not None, is sent as JSON. Raises `RequestRefused`."""
    pairs = _pairs(headers)
    if data is not None:
        if body is not None:
            raise TypeError("give body or json, not both")
        body = json.dumps(data, ensure_ascii=False, allow_nan=False)
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("content-type", "application/json"))
    content = body.encode() if isinstance(body, str) else body or b""
    try:
        reply = _platform.ask(capability, method, path, pairs, content, options)
    except ValueError:
        raise RequestRefused("REQUEST_TOO_LARGE", "The request is over 5 MB", 413) from None
    except _platform.Unavailable as error:
        raise RequestRefused("UNAVAILABLE", f"Nothing can be sent: {error}", 503) from None
    if any(name == _REFUSED for name, _ in reply.headers):
        refusal = json.loads(reply.body)
        raise RequestRefused(refusal["code"], refusal["message"], reply.status)
    return Answer(reply.status, tuple(reply.headers), reply.body)


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    # Most handlers are synchronous, and importing asyncio is a third of a cold start.
    import asyncio

    return await asyncio.to_thread(function, *args, **kwargs)


def _pairs(headers: Headers | None) -> list[tuple[str, str]]:
    pairs = []
    for name, values in (headers or {}).items():
        for value in (values,) if isinstance(values, str) else values:
            pairs.append((name, value))
    return pairs
