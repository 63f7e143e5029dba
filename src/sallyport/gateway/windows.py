"""How often the URL of a web trigger may be called: so many times in each minute of the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sallyport.vocab.clock import MINUTE, SECOND
from sallyport.vocab.errors import Reason, Refused

# Windows are forgotten when so many are held; a flood of them would need as many real URLs.
MOST_WINDOWS = 100_000

Count = Callable[[str, int], Awaitable[None]]
"""Counts a call of a web trigger, now in milliseconds. Raises `Refused` beyond its limit."""


@dataclass(slots=True)
class _Window:
    """The calls of one URL in one minute."""

    minute: int
    calls: int


class Windows:
    """Counts calls, in one process for all of the platform."""

    def __init__(self, calls_per_minute: int) -> None:
        self._calls_per_minute = calls_per_minute
        self._windows: dict[str, _Window] = {}

    async def count(self, trigger_id: str, now: int) -> None:
        """Count a call. Raises `Refused` beyond the limit of this minute."""
        minute = now // MINUTE
        window = self._windows.get(trigger_id)
        if window is None or window.minute != minute:
            if len(self._windows) >= MOST_WINDOWS:
                self._windows = {
                    id: each for id, each in self._windows.items() if each.minute == minute
                }
            window = self._windows[trigger_id] = _Window(minute, 0)
        window.calls += 1
        if window.calls > self._calls_per_minute:
            reset = (minute + 1) * MINUTE
            raise Refused(
                Reason.RATE_LIMITED,
                f"This web trigger takes {self._calls_per_minute} calls a minute.",
                fix="Call it less often.",
                headers={
                    "Retry-After": str(max(1, (reset - now) // SECOND)),
                    "X-RateLimit-Limit": str(self._calls_per_minute),
                    "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset": str(reset // SECOND),
                },
            )
