"""Apps made of a few lines, and a pool of real processes to run them in."""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sallyport.model.decision import LogLine
from sallyport.runtime.call import Answer, Failure, Invocation, Outcome, Target
from sallyport.runtime.pool import Pool
from sallyport.runtime.running import CapabilityAnswer, RunningCall
from sallyport.vocab.ids import new_id

REQUEST: dict[str, Any] = {
    "method": "GET",
    "path": "/run",
    "userPath": "",
    "headers": {},
    "queryParameters": {},
    "pathParameters": {},
}
CONTEXT: dict[str, Any] = {
    "appId": "app",
    "environmentId": "env",
    "environmentType": "DEVELOPMENT",
    "installationId": "installation",
    "cloudId": "site",
    "product": "jira",
    "accountId": "account",
    "functionKey": "run",
    "scopes": ["read:thing:custom"],
}


async def no_capability(_running: RunningCall, _payload: bytes) -> CapabilityAnswer:
    return b'{"status":404,"headers":[]}', b'{"code":"NOT_SUPPORTED","message":"none here"}'


class World:
    """One pool, the apps that a test writes, and the log lines that came out."""

    def __init__(self, folder: Path, pool: Pool, lines: list[LogLine]) -> None:
        self.folder = folder
        self.pool = pool
        self.lines = lines

    def app(self, source: str, *functions: str, name: str = "app", **facts: Any) -> Target:
        """A target for `src/index.py` with this source; its handlers are `index.<function>`."""
        bundle = self.folder / name
        (bundle / "src").mkdir(parents=True, exist_ok=True)
        (bundle / "src" / "index.py").write_text(textwrap.dedent(source))
        handlers = tuple(f if "." in f else f"index.{f}" for f in functions or ("run",))
        return Target(
            installation_id=facts.pop("installation_id", "installation-1"),
            site_id="site-1",
            environment_id="environment-1",
            bundle_dir=bundle,
            functions=handlers,
            **facts,
        )

    async def call(self, target: Target, function: str = "run", **facts: Any) -> Outcome:
        return await self.pool.invoke(target, invocation(function, **facts))

    async def answer(self, target: Target, function: str = "run", **facts: Any) -> Answer:
        outcome = await self.call(target, function, **facts)
        assert isinstance(outcome, Answer), (outcome, self.texts())
        return outcome

    async def failure(self, target: Target, function: str = "run", **facts: Any) -> Failure:
        outcome = await self.call(target, function, **facts)
        assert isinstance(outcome, Failure), outcome
        return outcome

    def texts(self, level: str | None = None) -> list[str]:
        return [line.text for line in self.lines if level in (None, line.level)]


def invocation(
    function: str = "run",
    *,
    body: bytes = b"",
    request: Mapping[str, Any] = {},
    context: Mapping[str, Any] = {},
    timeout_ms: int = 5_000,
    id: str | None = None,
) -> Invocation:
    return Invocation(
        id=id or new_id(),
        trace_id="0" * 32,
        function_key="run",
        handler=function if "." in function else f"index.{function}",
        request={**REQUEST, **request},
        body=body,
        context={**CONTEXT, **context},
        timeout_ms=timeout_ms,
    )


def elsewhere(target: Target, installation_id: str = "installation-2") -> Target:
    """The same version on another site."""
    return replace(target, installation_id=installation_id, site_id="site-2")


Scenario = Callable[[World], Awaitable[None]]
Play = Callable[..., None]
