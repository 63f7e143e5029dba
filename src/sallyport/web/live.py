"""Live parts of a page: server-sent events that follow the store.

A stream asks the store once a second, ends with the session that opened it, and there are only so
many of them: what a person leaves open in a tab must not cost the platform.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from sallyport.control.signin import is_signed_in
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.headers import guard
from sallyport.web.visit import Visit

EVERY_S = 1.0
LONGEST_S = 30 * 60
SILENCE_S = 15.0
SESSION_CHECK_S = 5.0
MOST_OF_ONE = 6
MOST = 200

ENDED = "ended"
"""The event after which a page stops listening: its session is over."""


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of HTML for the elements with `sse-swap="<name>"`. `mark` is where to go on from."""

    name: str
    html: str
    mark: str


Follow = Callable[[str], Awaitable[Sequence[Event]]]
"""Given the last event's mark: what has come since, oldest first."""


class _Open:
    """The streams that are open, by account."""

    def __init__(self) -> None:
        self._of = Counter[str]()

    def require_room(self, account_id: str) -> None:
        if self._of[account_id] >= MOST_OF_ONE or self._of.total() >= MOST:
            raise Refused(
                Reason.RATE_LIMITED,
                "Too many live pages are open.",
                fix="Close a tab that follows logs or calls.",
                headers={"Retry-After": "10"},
            )

    def enter(self, account_id: str) -> None:
        self._of[account_id] += 1

    def leave(self, account_id: str) -> None:
        self._of[account_id] -= 1
        self._of += Counter()


_OPEN = _Open()


def stream(visit: Visit, follow: Follow, mark: str) -> Response:
    """An event stream that tells what `follow` finds after `mark`, or after what it told before.

    A browser that comes back says how far it was. Raises `Refused` where too many are open.
    """
    account = visit.require_account()
    began = visit.request.headers.get("last-event-id") or mark
    _OPEN.require_room(account.id)
    response = StreamingResponse(
        _events(visit, account.id, follow, began), media_type="text/event-stream"
    )
    response.headers["X-Accel-Buffering"] = "no"
    return guard(response)


async def _events(visit: Visit, account_id: str, follow: Follow, mark: str) -> AsyncIterator[str]:
    _OPEN.enter(account_id)
    try:
        began = told = asked = time.monotonic()
        yield ": open\n\n"
        while (now := time.monotonic()) - began < LONGEST_S and not visit.services.ending.is_set():
            if now - asked >= SESSION_CHECK_S:
                asked = now
                if not await _lives(visit):
                    yield f"event: {ENDED}\ndata:\n\n"
                    return
            for event in await follow(mark):
                mark, told = event.mark, now
                yield encode(event)
            if now - told >= SILENCE_S:
                told = now
                yield ": still here\n\n"
            await _rest(visit.services.ending)
    except Refused:
        # What it follows is no longer theirs to see.
        yield f"event: {ENDED}\ndata:\n\n"
    finally:
        _OPEN.leave(account_id)


def encode(event: Event) -> str:
    """The event on the wire; every line of its HTML is a `data` line of its own."""
    data = "".join(f"data: {line}\n" for line in event.html.splitlines())
    return f"id: {event.mark}\nevent: {event.name}\n{data}\n"


async def _lives(visit: Visit) -> bool:
    assert visit.session is not None
    return await is_signed_in(visit.services, visit.session)


async def _rest(ending: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(ending.wait(), EVERY_S)
    except TimeoutError:
        return
