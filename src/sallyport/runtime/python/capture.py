"""Capture: what app code prints and logs becomes lines with a level, sent as they are written."""

from __future__ import annotations

import io
import logging
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sallyport.runtime import frames
else:
    import _sallyport_frames as frames

DEBUG: Final = 0
INFO: Final = 1
WARN: Final = 2
ERROR: Final = 3
FATAL: Final = 4

Emit = Callable[[int, bytes], None]


class Capture:
    """Standard output, standard error and the root logger, as lines.

    `emit` gets level and line; it is exchanged when the process forks.
    """

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self._streams = (_Lines(self, INFO, 1), _Lines(self, ERROR, 2))

    def install(self) -> None:
        """Take the place of `sys.stdout` and `sys.stderr`, and log from INFO up."""
        sys.stdout, sys.stderr = (stream.text() for stream in self._streams)
        root = logging.getLogger()
        root.addHandler(_Records(self))
        root.setLevel(logging.INFO)

    def end(self) -> None:
        """Send lines that have no end yet."""
        for stream in (sys.stdout, sys.stderr):
            # The app may have put anything in their place. (`suppress` takes as long as all else.)
            try:  # noqa: SIM105
                stream.flush()
            except Exception:
                pass
        for lines in self._streams:
            if lines.rest:
                lines.end()


class _Lines(io.RawIOBase):
    def __init__(self, capture: Capture, level: int, descriptor: int) -> None:
        self._capture = capture
        self._level = level
        self._descriptor = descriptor
        self.rest = b""

    def text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(
            io.BufferedWriter(self),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any, /) -> int:
        *lines, rest = (self.rest + bytes(data)).split(b"\n")
        self.rest = rest
        for line in lines:
            self._capture.emit(self._level, line)
        if len(rest) > frames.LARGEST_LOG_LINE:
            self.end()
        return len(data)

    def end(self) -> None:
        rest, self.rest = self.rest, b""
        if rest:
            self._capture.emit(self._level, rest)


class _Records(logging.Handler):
    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            text = f"{record.name}: this record could not be formatted\n{traceback.format_exc()}"
        self._capture.emit(_level(record.levelno), text.encode("utf-8", "backslashreplace"))


def _level(number: int) -> int:
    """The level of a logging record in the words of the log, contract section (l.3)."""
    if number >= logging.CRITICAL:
        return FATAL
    if number >= logging.ERROR:
        return ERROR
    if number >= logging.WARNING:
        return WARN
    return INFO if number >= logging.INFO else DEBUG
