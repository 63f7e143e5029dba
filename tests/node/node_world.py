"""Node apps of a few lines, as they lie in a bundle, and real processes to run them in."""

from __future__ import annotations

import textwrap
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sallyport.cli.bundle_node import build
from sallyport.model.decision import LogLine
from sallyport.model.manifest import Function, Manifest, Runtime
from sallyport.runtime.call import Answer, Failure, Invocation, Outcome, Permissions, Target
from sallyport.runtime.pool import Pool
from sallyport.vocab.ids import new_id

RUNTIME = "nodejs20.x"
REQUEST: dict[str, Any] = {
    "method": "GET",
    "path": "/run",
    "userPath": "",
    "headers": {},
    "queryParameters": {},
    "pathParameters": {},
}
CONTEXT: dict[str, Any] = {
    "appId": "11111111-2222-4333-8444-555555555555",
    "appVersion": "1.1",
    "environmentId": "22222222-2222-4333-8444-555555555555",
    "environmentType": "DEVELOPMENT",
    "installationId": "installation-1",
    "cloudId": "33333333-2222-4333-8444-555555555555",
    "product": "jira",
    "accountId": "account-1",
    "functionKey": "run",
    "moduleKey": "route",
    "moduleType": "apiRoute",
    "scopes": ["read:thing:custom"],
    "permissions": {"scopes": ["read:jira-work"], "external": {"fetch": {"backend": []}}},
}


@dataclass(slots=True)
class Bundled:
    """An app's folder as it is deployed: `dist/<module>.cjs` and its source map."""

    folder: Path
    functions: tuple[str, ...]

    def target(self, installation_id: str = "installation-1", **facts: Any) -> Target:
        return Target(
            installation_id=installation_id,
            site_id="site-1",
            environment_id="environment-1",
            bundle_dir=self.folder,
            functions=self.functions,
            runtime=RUNTIME,
            permissions=facts.pop("permissions", Permissions()),
            **facts,
        )


@dataclass(slots=True)
class World:
    """One pool and the log lines that came out of it."""

    pool: Pool
    folder: Path
    lines: list[LogLine] = field(default_factory=list)

    def app(self, source: str, *functions: str) -> Bundled:
        """CommonJS that is taken as built: `exports.run = ...`."""
        bundle = self.folder / uuid.uuid4().hex
        (bundle / "dist").mkdir(parents=True)
        (bundle / "dist" / "index.cjs").write_text(textwrap.dedent(source))
        return Bundled(bundle, tuple(f"index.{each}" for each in functions or ("run",)))

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
    timeout_ms: int = 10_000,
) -> Invocation:
    return Invocation(
        id=new_id(),
        trace_id="0af7651916cd43dd8448eb211c80319c",
        function_key="run",
        handler=function if "." in function else f"index.{function}",
        request={**REQUEST, **request},
        body=body,
        context={**CONTEXT, **context},
        timeout_ms=timeout_ms,
    )


def built(packages: Path, files: Mapping[str, str], *functions: str) -> Bundled:
    """The sources in `files` as `sallyport deploy` builds them, beside the installed packages."""
    folder = packages / "work" / uuid.uuid4().hex
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    handlers = tuple(each if "." in each else f"index.{each}" for each in functions or ("run",))
    for name, data in build(folder, manifest_of(*handlers)).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Bundled(folder, handlers)


def manifest_of(*handlers: str) -> Manifest:
    return Manifest(
        app_id=None,
        name=None,
        runtime=Runtime(RUNTIME),
        functions=tuple(Function(f"f{n}", handler) for n, handler in enumerate(handlers)),
    )


Scenario = Callable[[World], Awaitable[None]]
Play = Callable[..., None]
