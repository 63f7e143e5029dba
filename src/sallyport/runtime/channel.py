"""Channel: one end of a stream socket on the event loop; frames in and out, no task for any."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from sallyport.runtime.frames import Frame, FrameError, Reader, encode, encode_parts

# For more, the C library would map new memory for each read.
_CHUNK = 64 * 1024


class Channel:
    """Speaks frames over a connected socket, which it owns.

    `on_frame` gets each frame, `on_read` is called when it had all that arrived together. `on_end`
    is called once, with the reason, when the other side closes or breaks the protocol; never after
    `close()`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        *,
        largest: int,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[str], None],
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._sock = sock
        self._reader = Reader(largest)
        self._on_frame = on_frame
        self._on_read = on_read
        self._on_end = on_end
        self._unsent: deque[memoryview] = deque()
        self._drains: list[asyncio.Future[None]] = []
        self._open = True
        self._reading = False
        self.resume()

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        """Queue one frame and send what the socket takes."""
        self._write((encode(kind, id, payload),))

    def send_parts(self, kind: int, id: int, header: bytes, body: bytes) -> None:
        """As `send`, for a payload of header and body."""
        self._write(encode_parts(kind, id, header, body))

    def send_all(self, pieces: list[bytes]) -> None:
        """Send bytes of frames that were encoded elsewhere, small ones in one system call."""
        self._write((pieces[0] if len(pieces) == 1 else b"".join(pieces),))

    def send_descriptors(self, kind: int, id: int, payload: bytes, fds: list[int]) -> None:
        """Send one small frame with open files. Raises `OSError` unless it fits at once."""
        if self._unsent:
            raise BlockingIOError("the channel has unsent frames")
        data = encode(kind, id, payload)
        if socket.send_fds(self._sock, [data], fds) != len(data):
            raise BlockingIOError("the frame was cut")

    async def drained(self) -> None:
        """Wait until the socket has taken everything, or is closed."""
        if self._unsent and self._open:
            drain = self._loop.create_future()
            self._drains.append(drain)
            await drain

    def pause(self) -> None:
        """Stop reading: the other side is held back by its full socket."""
        if self._reading:
            self._loop.remove_reader(self._sock)
            self._reading = False

    def resume(self) -> None:
        """Read again."""
        if self._open and not self._reading:
            self._loop.add_reader(self._sock, self._readable)
            self._reading = True

    def read_now(self) -> None:
        """Read all that has arrived, without waiting for the event loop."""
        while self._open and self._readable():
            pass

    def close(self) -> None:
        """Close the socket; nothing more is called back."""
        if not self._open:
            return
        self.pause()
        if self._unsent:
            self._loop.remove_writer(self._sock)
            self._unsent.clear()
        self._open = False
        self._settle_drains()
        self._sock.close()

    def _readable(self) -> bool:
        """Read once; whether there was anything."""
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            self._end(str(error))
            return False
        if not data:
            self._end("the other side closed")
            return False
        try:
            for frame in self._reader.feed(data):
                self._on_frame(frame)
                if not self._open:
                    break
        except FrameError as error:
            self._on_read()
            self._end(str(error))
        else:
            self._on_read()
        return True

    def _write(self, pieces: tuple[bytes, ...]) -> None:
        if not self._open:
            return
        waiting = bool(self._unsent)
        self._unsent.extend(memoryview(piece) for piece in pieces if piece)
        if not waiting:
            self._flush()
            if self._unsent and self._open:
                self._loop.add_writer(self._sock, self._writable)

    def _writable(self) -> None:
        self._flush()
        if not self._unsent and self._open:
            self._loop.remove_writer(self._sock)
            self._settle_drains()

    def _settle_drains(self) -> None:
        drains, self._drains = self._drains, []
        for drain in drains:
            if not drain.done():
                drain.set_result(None)

    def _flush(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                sent = self._sock.sendmsg(list(unsent)[:16])
                while unsent and sent >= len(unsent[0]):
                    sent -= len(unsent.popleft())
                if sent:
                    unsent[0] = unsent[0][sent:]
        except BlockingIOError:
            return
        except OSError:
            # The reading side sees the end too, and tells it once, from the loop.
            unsent.clear()

    def _end(self, reason: str) -> None:
        self.close()
        self._on_end(reason)
