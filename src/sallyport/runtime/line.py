"""Line: how the host process and a gateway process talk; frames over one Unix socket.

Either side asks the other by name, and is answered or refused; calls of apps go beside that
(`remote.py`, `served.py`). Frames keep their order, so an answer comes after every call that was
sent before it. What is sent in one turn of the event loop is gathered into one write.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import msgspec

from sallyport.runtime.frames import Frame, FrameError, Reader, encode, encode_parts
from sallyport.vocab.errors import Reason, Refused

ASK: Final = 32
ANSWER: Final = 33
REFUSAL: Final = 34
CALL: Final = 35
TARGET: Final = 36
TARGET_GONE: Final = 37
RESULT: Final = 38
FAILURE: Final = 39

LARGEST: Final = 32 * 1024 * 1024

Answers = Callable[..., Awaitable[Any]]
"""Answers a question from its arguments; what it takes and returns is JSON."""

_log = logging.getLogger(__name__)


class LineEnded(Exception):
    """The other process has gone, and what was asked of it has no answer."""


class Unanswered(Exception):
    """The other process could not answer; its log says why."""


class Line(asyncio.Protocol):
    """One end. `answers` are the questions that it takes; `frames` get every other kind of frame.

    `on_end` is called once, when the other side has closed or does not speak frames.
    """

    def __init__(self, on_end: Callable[[], None] = lambda: None) -> None:
        self.answers: dict[str, Answers] = {}
        self.frames: dict[int, Callable[[Frame], None]] = {}
        self._on_end = on_end
        self._reader = Reader(LARGEST)
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._answering: set[asyncio.Task[None]] = set()
        self.ended = False

    @property
    def unsent(self) -> int:
        """How many bytes wait for the other side to read."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        """Send one frame; into nowhere where the line has ended."""
        if self._transport is not None and not self.ended:
            self._transport.write(encode(kind, id, payload))

    def send_parts(self, kind: int, id: int, header: bytes, body: bytes) -> None:
        """As `send`, for a payload of header and body."""
        if self._transport is not None and not self.ended:
            self._transport.writelines(encode_parts(kind, id, header, body))

    async def ask(self, name: str, *arguments: Any) -> Any:
        """Ask the other side. Raises `Refused` as it does, `LineEnded` and `Unanswered`."""
        if self.ended:
            raise LineEnded
        self._last = id = self._last % 0xFFFF_FFFF + 1
        future = self._asked[id] = asyncio.get_running_loop().create_future()
        self.send(ASK, id, msgspec.json.encode((name, arguments)))
        try:
            return await future
        finally:
            self._asked.pop(id, None)

    def close(self) -> None:
        """End the line from this side, when all is sent."""
        if self._transport is not None:
            self._transport.close()

    # ---- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except (FrameError, msgspec.DecodeError):
            _log.exception("the other process does not speak as it should")
            self.connection_lost(None)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.ended:
            return
        self.ended = True
        for future in self._asked.values():
            if not future.done():
                future.set_exception(LineEnded())
        self._on_end()

    def _take(self, frame: Frame) -> None:
        if frame.kind == ASK:
            task = asyncio.create_task(self._answer(frame.id, frame.payload))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif frame.kind in (ANSWER, REFUSAL):
            future = self._asked.get(frame.id)
            if future is None or future.done():
                return
            if frame.kind == ANSWER:
                future.set_result(msgspec.json.decode(frame.payload))
            else:
                future.set_exception(_read_refusal(frame.payload))
        elif frame.kind in self.frames:
            self.frames[frame.kind](frame)
        else:
            raise FrameError(f"a frame of kind {frame.kind} is not known")

    async def _answer(self, id: int, payload: bytes) -> None:
        name, arguments = msgspec.json.decode(payload)
        try:
            answer = await self.answers[name](*arguments)
        except Refused as refused:
            self.send(REFUSAL, id, _write_refusal(refused))
        except Exception:
            _log.exception("a question of another process has no answer: %s", name)
            self.send(REFUSAL, id)
        else:
            self.send(ANSWER, id, msgspec.json.encode(answer))


async def open_line(sock: socket.socket, line: Line) -> None:
    """Speak through a connected socket, which the line owns from now on."""
    await asyncio.get_running_loop().create_connection(lambda: line, sock=sock)


def _write_refusal(refused: Refused) -> bytes:
    return msgspec.json.encode(
        {
            "reason": refused.reason.name,
            "detail": refused.detail,
            "fix": refused.fix,
            "members": refused.members,
            "headers": refused.headers,
            "operator": refused.operator,
        }
    )


def _read_refusal(payload: bytes) -> Exception:
    if not payload:
        return Unanswered()
    parts = msgspec.json.decode(payload)
    return Refused(Reason[parts.pop("reason")], parts.pop("detail"), **parts)
