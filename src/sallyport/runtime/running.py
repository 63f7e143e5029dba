"""A call while it runs, as the platform knows it; and the seam by which app code asks for things.

Whatever a worker asks is asked for the call that runs in it: who calls, from which installation and
with which permissions is read here, never from the worker's bytes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable

from sallyport.runtime.call import Invocation, Permissions, Target
from sallyport.runtime.logs import InvocationLog, Level, Sink
from sallyport.vocab.clock import Clock


class RunningCall:
    """One call in one worker."""

    __slots__ = ("_clock", "_ends_at", "_log", "_sink", "_started_at", "_used", "call", "target")

    def __init__(self, target: Target, call: Invocation, clock: Clock, sink: Sink) -> None:
        self.target = target
        self.call = call
        self._clock = clock
        self._sink = sink
        self._log: InvocationLog | None = None
        self._used: Counter[str] | None = None
        self._started_at = self._ends_at = 0.0

    def begin(self, now: float) -> None:
        """It runs from now on (`time.monotonic`)."""
        self._started_at = now
        self._ends_at = now + self.call.timeout_ms / 1000

    @property
    def log(self) -> InvocationLog:
        if self._log is None:
            self._log = InvocationLog(self.target, self.call, self._clock, self._sink)
        return self._log

    @property
    def used(self) -> Counter[str]:
        """What it has spent of its allowances, by name."""
        if self._used is None:
            self._used = Counter()
        return self._used

    @property
    def ends_at(self) -> float:
        """When it is killed (`time.monotonic`)."""
        return self._ends_at

    @property
    def installation_id(self) -> str:
        return self.target.installation_id

    @property
    def permissions(self) -> Permissions:
        """What the manifest of the running version lets its code do."""
        return self.target.permissions

    @property
    def account_id(self) -> str | None:
        """The account that the call is made for; None where nobody signed in, as for a timer."""
        account_id = self.call.context.get("accountId")
        return account_id if isinstance(account_id, str) else None

    @property
    def minute(self) -> int:
        """Which minute of the call this is, from 0."""
        return int((time.monotonic() - self._started_at) // 60)

    @property
    def seconds_left(self) -> float:
        """Until the call is killed at its time limit; never below 0."""
        return max(0.0, self._ends_at - time.monotonic())

    def report(self, level: Level, text: str) -> None:
        """Write a line of the platform into the invocation's log."""
        self.log.report(level, text)


CapabilityAnswer = tuple[bytes, bytes]
"""The header (JSON) and the body of a reply, docs/reference/capabilities.md."""

CapabilityHandler = Callable[[RunningCall, bytes], Awaitable[CapabilityAnswer]]
"""Answers one request of the call that runs, which comes as the payload of its frame."""
