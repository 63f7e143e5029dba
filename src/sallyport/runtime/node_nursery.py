"""The nursery of a Node app: its built modules, ready to be given to processes of the stock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from sallyport.runtime import headers
from sallyport.runtime.call import Image
from sallyport.runtime.frames import LARGEST_BODY
from sallyport.runtime.hello import Ends
from sallyport.runtime.logs import Level
from sallyport.runtime.node_stock import NodeStock
from sallyport.runtime.nursery import ImportFailure
from sallyport.runtime.result import TOO_LARGE

RULES = {
    "largestBody": LARGEST_BODY,
    "tooLarge": TOO_LARGE,
    "mostHeaders": headers.MOST_HEADERS,
    "largestHeaders": headers.LARGEST_HEADERS,
    "refusedHeaders": sorted(headers.REFUSED),
}


class NodeNursery:
    """Implements `nursery.Nursery`. Modules are loaded by each worker, which tells what failed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stock: NodeStock, image: Image) -> None:
        self.state: Literal["starting", "ready", "ended"] = "ready"
        self.end_reason = ""
        self.failures: dict[str, ImportFailure] = {}
        self.import_lines: list[tuple[Level, bytes]] = []
        self.used_at = loop.time()
        self.reaped: asyncio.Future[None] = loop.create_future()
        self.on_end: Callable[[], None] = lambda: None
        self._loop = loop
        self._stock = stock
        self._image = image
        self._workers = 0
        self._start, self._code = _packed(image)

    @property
    def idle(self) -> bool:
        return self._workers == 0

    def failure_of(self, handler: str) -> ImportFailure | None:
        return None

    def when_settled(self, callback: Callable[[], None]) -> None:
        callback()

    def worker(self, directory: Path) -> Ends:
        """Take a process from the stock and give it the app; it has a folder of its own."""
        self.used_at = self._loop.time()
        ends = self._stock.take(self._image.memory_mb).take_up(self._start, self._code)
        self._workers += 1
        return ends

    def forked(self, pid: int) -> None:
        pass

    def fork_failed(self) -> None:
        self._workers -= 1

    def worker_ended(self, pid: int) -> None:
        self._workers -= 1
        self.used_at = self._loop.time()

    def stop(self, reason: str = "it was stopped") -> None:
        if self.state == "ended":
            return
        self.state = "ended"
        self.end_reason = reason
        self.reaped.set_result(None)
        self.on_end()


def _packed(image: Image) -> tuple[bytes, bytes]:
    """What START says of the app, and the code and source maps that it counts out."""
    modules: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name in dict.fromkeys(handler.rpartition(".")[0] for handler in image.functions):
        built = image.bundle_dir / "dist" / f"{name}.cjs"
        mapped = built.with_name(f"{built.name}.map")
        code = built.read_bytes()
        map = mapped.read_bytes() if mapped.exists() else b""
        modules.append({"name": name, "code": len(code), "map": len(map)})
        parts += [code, map]
    start = {"modules": modules, "variables": dict(image.variables), "rules": RULES}
    return msgspec.json.encode(start), b"".join(parts)
