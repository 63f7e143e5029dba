"""What the app in one worker asks of the platform, answered for the call that runs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from sallyport.runtime import frames
from sallyport.runtime.channel import Channel
from sallyport.runtime.frames import Frame
from sallyport.runtime.running import CapabilityHandler, RunningCall

_MOST_REQUESTS: Final = 16


class Requests:
    """The capability socket of one worker.

    `running` says which call runs now; it must look at what the call socket holds first, as a
    request is never answered for the call before it. `broken` is called where the app breaks the
    protocol, `failed` where a request failed for a fault of ours: the app would wait for ever.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        handler: CapabilityHandler,
        running: Callable[[], RunningCall | None],
        broken: Callable[[], None],
        failed: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._handler = handler
        self._running = running
        self._broken = broken
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_MOST_REQUESTS)
        self._held: list[Frame] = []
        self._channel = Channel(
            loop,
            sock,
            largest=frames.LARGEST_REQUEST,
            on_frame=self._request,
            on_end=lambda reason: None,
        )

    def begin(self, running: RunningCall) -> None:
        """A call begins: what was asked for between calls is asked for it."""
        if self._held:
            held, self._held = self._held, []
            for frame in held:
                self._ask(running, frame)
            self._channel.resume()

    def close(self) -> None:
        self._channel.close()
        for task in self._tasks:
            task.cancel()

    def _request(self, frame: Frame) -> None:
        if frame.kind != frames.REQUEST:
            self._broken()
            return
        running = self._running()
        if running is None:
            # Between calls an app stands still: what it asks for waits for its next call.
            self._held.append(frame)
            if len(self._held) >= _MOST_REQUESTS:
                self._channel.pause()
            return
        self._ask(running, frame)

    def _ask(self, running: RunningCall, frame: Frame) -> None:
        task = self._loop.create_task(self._reply(running, frame))
        self._tasks.add(task)
        task.add_done_callback(self._replied)
        if len(self._tasks) >= _MOST_REQUESTS:
            self._channel.pause()

    async def _reply(self, running: RunningCall, frame: Frame) -> None:
        async with self._slots:
            header, body = await self._handler(running, frame.payload)
            self._channel.send_parts(frames.REPLY, frame.id, header, body)
            # An app that asks and does not read must not fill the platform's memory.
            await self._channel.drained()

    def _replied(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._channel.resume()
        if not task.cancelled() and task.exception() is not None:
            self._loop.call_exception_handler(
                {"message": "a capability request failed", "exception": task.exception()}
            )
            self._failed()
