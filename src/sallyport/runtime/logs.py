"""Logs of app code: made safe to show, bounded for each invocation, handed to the sink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from sallyport.model.decision import LogLine
from sallyport.runtime.call import Invocation, Target
from sallyport.runtime.frames import LARGEST_LOG_LINE
from sallyport.runtime.limits import count_reached
from sallyport.vocab.clock import Clock

Level = Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
Sink = Callable[[LogLine], None]

LINES: Final = 100
BYTES: Final = 200 * 1024
LEVELS: Final[tuple[Level, ...]] = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
DROPPED: Final = "More lines were dropped: an invocation may log 100 lines and 200 KB."

# A log is read in terminals and pages: no character of it may move a cursor or reorder the text.
_UNSAFE = (
    *(code for code in range(0x20) if code not in (0x09, 0x0A)),
    *range(0x7F, 0xA0),
    *range(0x200E, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),
)
_VISIBLE = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _UNSAFE}


def visible(text: str) -> str:
    """`text` with control, direction and surrogate characters written as escapes."""
    return text.translate(_VISIBLE)


def decode(data: bytes) -> str:
    """Untrusted bytes as visible text."""
    return visible(data.decode("utf-8", "backslashreplace"))


class InvocationLog:
    """The log of one invocation. `write` counts against its bounds, `report` does not."""

    def __init__(self, target: Target, call: Invocation, clock: Clock, sink: Sink) -> None:
        self._target = target
        self._call = call
        self._clock = clock
        self._sink = sink
        self._lines = 0
        self._bytes = 0
        self.dropped = 0

    def write(self, level: Level, data: bytes) -> None:
        """A line that app code wrote. The first one past the bounds says that lines are dropped."""
        if self.dropped:
            self.dropped += 1
            return
        self._lines += 1
        self._bytes += len(data)
        if self._lines > LINES or self._bytes > BYTES:
            self.dropped = 1
            count_reached("log_lines" if self._lines > LINES else "log_bytes")
            self._emit("WARN", DROPPED)
            return
        self._emit(level, decode(data))

    def report(self, level: Level, text: str) -> None:
        """A line of the platform about the invocation, such as why it failed."""
        self._emit(level, visible(text[:LARGEST_LOG_LINE]))

    def _emit(self, level: Level, text: str) -> None:
        self._sink(
            LogLine(
                at=self._clock.now(),
                level=level,
                text=text,
                environment_id=self._target.environment_id,
                installation_id=self._target.installation_id,
                site_id=self._target.site_id,
                invocation_id=self._call.id,
                trace_id=self._call.trace_id,
                function_key=self._call.function_key,
            )
        )


class LineSplitter:
    """Cuts raw output into lines; a line past the longest allowed is cut there."""

    def __init__(self, emit: Callable[[bytes], None]) -> None:
        self._emit = emit
        self._rest = b""

    def feed(self, data: bytes) -> None:
        lines = (self._rest + data).split(b"\n")
        rest = lines.pop()
        for line in lines:
            self._emit(line[:LARGEST_LOG_LINE])
        while len(rest) > LARGEST_LOG_LINE:
            self._emit(rest[:LARGEST_LOG_LINE])
            rest = rest[LARGEST_LOG_LINE:]
        self._rest = rest

    def end(self) -> None:
        """What is left without a line end is a line too."""
        if self._rest:
            self._emit(self._rest)
            self._rest = b""
