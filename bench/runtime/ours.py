"""Sallyport's own runtime as contenders: each language, with and without the sandbox."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from pathlib import Path

from bench.runtime.memory import Held, held_by_tree
from sallyport.runtime.call import Answer, Invocation, Limits, Target
from sallyport.runtime.node_program import NodeProgram
from sallyport.runtime.pool import Pool
from sallyport.runtime.running import RunningCall
from sallyport.runtime.sandbox import Driver
from sallyport.vocab.clock import SystemClock

PYTHON_APP = """\
import json

def run(request, context):
    return {"statusCode": 200, "body": json.dumps({"hello": request.path})}
"""
NODE_APP = """\
exports.run = async (request) => (
  {statusCode: 200, body: JSON.stringify({hello: request.path})}
)
"""
PATH = "/hello"
EXPECTED = {b'{"hello": "/hello"}', b'{"hello":"/hello"}'}
_numbers = itertools.count(1)


async def no_capability(_running: RunningCall, _payload: bytes) -> tuple[bytes, bytes]:
    return b"", b""


class Ours:
    """A pool with one driver, and an app of one language for it."""

    def __init__(
        self, name: str, driver: Driver, runtime: str, node: NodeProgram | None, workers: int
    ) -> None:
        self.name = name
        self.runtime = runtime
        self._driver = driver
        self._pool = Pool(
            driver,
            Limits(workers=workers, idle_ms=3_600_000, zygote_idle_ms=3_600_000),
            SystemClock(),
            lambda line: None,
            no_capability,
            node,
        )
        self._made = tempfile.TemporaryDirectory(prefix="sallyport-bench-")
        self._app = self._bundle()
        self._warm = self.target()

    def _bundle(self) -> Path:
        folder = Path(self._made.name) / str(next(_numbers))
        file = folder / ("src/index.py" if self.runtime == "python3" else "dist/index.cjs")
        file.parent.mkdir(parents=True)
        file.write_text(PYTHON_APP if self.runtime == "python3" else NODE_APP)
        for path in (Path(self._made.name), *folder.rglob("*"), folder):
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
        return folder

    def target(self, bundle: Path | None = None) -> Target:
        """An installation that nobody has called yet."""
        return Target(
            installation_id=f"installation-{next(_numbers)}",
            site_id="site",
            environment_id="environment",
            bundle_dir=bundle or self._app,
            functions=("index.run",),
            runtime=self.runtime,
        )

    async def call(self, target: Target) -> float:
        """Milliseconds of one call."""
        started = time.perf_counter()
        outcome = await self._pool.invoke(target, _invocation())
        took = (time.perf_counter() - started) * 1000
        assert isinstance(outcome, Answer), outcome
        assert outcome.body in EXPECTED, outcome.body
        return took

    async def first_of_version(self) -> float:
        """The first answer of a version that this machine has not run before."""
        target = self.target(self._bundle())
        took = await self.call(target)
        await self._pool.stop_installation(target.installation_id)
        return took

    async def first_of_installation(self) -> float:
        """The first answer of an installation, when another has run the version already."""
        target = self.target()
        took = await self.call(target)
        await self._pool.stop_installation(target.installation_id)
        return took

    async def warm(self) -> float:
        """A call that finds its worker free."""
        return await self.call(self._warm)

    def idle_memory(self) -> Held:
        """What the warm worker holds while it waits."""
        (crew,) = [each for each in self._pool._crews.values() if each.target == self._warm]
        (worker,) = crew.workers
        assert worker.pid is not None
        return held_by_tree(worker.pid)

    def all_memory(self) -> Held:
        """What every worker of the pool holds, taken together."""
        pids = [worker.pid for crew in self._pool._crews.values() for worker in crew.workers]
        found = [held_by_tree(pid) for pid in pids if pid is not None]
        return Held(sum(each.uss for each in found), sum(each.pss for each in found))

    async def close(self) -> None:
        await self._pool.close()
        self._driver.close()
        self._made.cleanup()


def _invocation() -> Invocation:
    return Invocation(
        id="i",
        trace_id="0" * 32,
        function_key="run",
        handler="index.run",
        request={
            "method": "GET",
            "path": PATH,
            "userPath": "",
            "headers": {"accept": ["application/json"]},
            "queryParameters": {},
            "pathParameters": {},
        },
        body=b"",
        context={
            "appId": "a",
            "environmentId": "e",
            "environmentType": "DEVELOPMENT",
            "installationId": "i",
            "cloudId": "c",
            "product": "jira",
            "accountId": "p",
            "functionKey": "run",
            "scopes": [],
        },
        timeout_ms=25_000,
    )
