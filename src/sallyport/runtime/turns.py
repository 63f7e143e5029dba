"""Turns: the calls that one worker has been given. The first runs, those behind it wait.

A worker runs one call after another. Those that are quick are given to it several at once, so that
one write, one wake-up and one read serve them all. What is given is not lost for others: each call
behind the first has a ticket (`hello.Tickets`), and as long as the worker has not drawn that, the
call can be taken back and given to another worker.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from sallyport.runtime import frames
from sallyport.runtime.call import CallContext, Invocation, Outcome, Target
from sallyport.runtime.logs import Sink
from sallyport.runtime.running import RunningCall
from sallyport.vocab.clock import Clock
from sallyport.vocab.ids import random_numbers

Done = Callable[[Outcome], None]

# What a call may have to wait for those before it, when it is given to a worker that is busy.
PATIENCE_US: Final = 1_000
# The same where every processor is busy, so that another worker would only share one with this.
CROWDED_US: Final = 4_000
# Up to here a call is taken to need the processor and not to wait for something else.
QUICK_US: Final = 250
MOST_TURNS: Final = 256
# A call that takes longer than this gives those behind it back.
SLOW_S: Final = 0.008
# While one has run longer than this, no others are put behind it.
_STILL_QUICK_S: Final = SLOW_S / 2
# How often one looks whether a call does, and whether answers lie there behind it.
LOOK_S: Final = 0.002
# What a call is taken to need whose function has not run yet.
_UNKNOWN_US: Final = 1_000_000.0
_LATEST: Final = 0.2


class Turn(RunningCall):
    """One call and who waits for it. `pace` is how long it is expected to run, in microseconds."""

    __slots__ = ("done", "id", "pace")

    def __init__(
        self, target: Target, call: Invocation, clock: Clock, sink: Sink, done: Done, pace: float
    ) -> None:
        super().__init__(target, call, clock, sink)
        # App code must not be able to answer a call before it has come.
        self.id = random_numbers.next()
        self.done = done
        self.pace = pace


class Answered(NamedTuple):
    """The answer to a call as it came, not checked yet."""

    turn: Turn
    kind: int
    header: bytes
    body: bytes


class Paces:
    """How long the functions of an app took lately, in microseconds: an average that forgets."""

    def __init__(self) -> None:
        self._by_handler: dict[str, float] = {}

    def of(self, handler: str) -> float:
        return self._by_handler.get(handler, _UNKNOWN_US)

    def took(self, handler: str, duration_us: float) -> None:
        before = self._by_handler.get(handler)
        if before is None:
            self._by_handler[handler] = duration_us
        else:
            self._by_handler[handler] = before + _LATEST * (duration_us - before)


class Turns:
    """The calls given to one worker and not answered yet, in order."""

    def __init__(self) -> None:
        self._turns: deque[Turn] = deque()
        self._answered: list[Answered] = []
        self._since = 0.0
        self._is_unsent = False
        self._load_us = 0.0
        self._last: Turn | None = None

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def first(self) -> Turn | None:
        """The call that runs."""
        return self._turns[0] if self._turns else None

    @property
    def have_room(self) -> bool:
        """Whether another call would not wait long behind these."""
        return not self._turns or self._are_done_within(PATIENCE_US)

    @property
    def have_crowded_room(self) -> bool:
        """Whether another quick call is best put behind these where every processor is busy."""
        return self._are_done_within(CROWDED_US)

    @property
    def load_us(self) -> float:
        """How long these are expected to run, in microseconds."""
        return self._load_us

    def _are_done_within(self, patience_us: int) -> bool:
        return (
            self._load_us <= patience_us
            and len(self._turns) < MOST_TURNS
            and (self._is_unsent or time.monotonic() - self._since < _STILL_QUICK_S)
        )

    @property
    def speaker(self) -> Turn | None:
        """The call that the worker speaks of when it writes lines: between calls, the last one."""
        return self._turns[0] if self._turns else self._last

    def begin_first(self) -> None:
        """The first call runs from now on."""
        self._since = time.monotonic()
        self._turns[0].begin(self._since)

    def sent(self) -> bool:
        """The calls have left: the first one can run. Whether it could not before."""
        was_unsent, self._is_unsent = self._is_unsent, False
        if was_unsent and self._turns:
            self.begin_first()
        return was_unsent

    def add(self, turn: Turn) -> bool:
        """Take a call up; whether it is the first and begins now."""
        self._turns.append(turn)
        self._load_us += turn.pace
        if len(self._turns) > 1:
            return False
        self.begin_first()
        self._is_unsent = True
        return True

    def answer(self, kind: int, header: bytes, body: bytes) -> Turn | None:
        """The first call is answered. Returns the one that runs from now on."""
        turn = self._last = self._turns.popleft()
        self._answered.append(Answered(turn, kind, header, body))
        if not self._turns:
            self._load_us = 0.0
            return None
        self._load_us -= turn.pace
        following = self._turns[0]
        following.begin(time.monotonic())
        return following

    def settle(self) -> tuple[list[Answered], int]:
        """The calls answered since this was asked last, and the microseconds that each took.

        When several came together nobody but the worker knows how long each one ran; they share.
        """
        answered, self._answered = self._answered, []
        if not answered:
            # Something else came of the worker; the call that runs has run since it began.
            return answered, 0
        now = time.monotonic()
        each = int((now - self._since) * 1e6 / len(answered))
        self._since = now
        return answered, each

    @property
    def elapsed_us(self) -> int:
        """How long the first call has run."""
        return int((time.monotonic() - self._since) * 1e6)

    def is_held_up(self) -> bool:
        """Whether calls wait behind one that is not quick."""
        return len(self._turns) > 1 and time.monotonic() - self._since > SLOW_S

    def take_out(self, ids: set[int]) -> list[Turn]:
        """Give up the calls with these ids."""
        taken = [turn for turn in self._turns if turn.id in ids]
        if taken:
            self._turns = deque(turn for turn in self._turns if turn.id not in ids)
            self._load_us = sum(turn.pace for turn in self._turns)
        return taken

    def take_all(self) -> list[Turn]:
        """Give up every call."""
        taken, self._load_us = list(self._turns), 0.0
        self._turns.clear()
        return taken


def encode_turn(turn: Turn, kind: int, deadline: int) -> tuple[bytes, bytes]:
    """The frame of a call as two pieces, header and body. `deadline` in epoch milliseconds."""
    call = turn.call
    context = call.context
    text = context.text if isinstance(context, CallContext) else _encode(context)
    own = _encode({"invocationId": call.id, "traceId": call.trace_id, "deadline": deadline})
    joined = text[:-1] + b"," + own[1:] if len(text) > 2 else own
    order = _order(call.handler, call.timeout_ms, context.get("moduleType"))
    return frames.encode_call(kind, turn.id, order, _encode(call.request), joined, call.body)


_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def _order(handler: str, timeout_ms: int, module_type: str | None) -> bytes:
    """What the worker must know of every call of a function, as JSON."""
    return _encode({"handler": handler, "timeoutMs": timeout_ms, "moduleType": module_type})
