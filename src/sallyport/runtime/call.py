"""What the runtime is asked and what it answers: targets, invocations, outcomes, limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import msgspec

from sallyport.model.manifest import PYTHON_RUNTIME, PermissionScope

FailureKind = Literal[
    "exception",
    "bad_result",
    "too_large",
    "timeout",
    "out_of_memory",
    "worker_lost",
    "import_error",
    "busy",
    "no_sandbox",
    "stale",
]


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the manifest of a version lets its code do outside of its worker.

    `scopes` are those of `permissions.scopes`, `fetch` the addresses of
    `permissions.external.fetch.backend`, as the manifest has them.
    """

    scopes: tuple[PermissionScope, ...] = ()
    fetch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """What workers are made of. Installations whose images are equal share the zygote."""

    bundle_dir: Path
    functions: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    memory_mb: int
    runtime: str = PYTHON_RUNTIME


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call runs: one installation on one deployed version with one set of variables.

    `bundle_dir` is the unpacked bundle (`bundle.bundle_path`), `functions` are the handlers to be
    imported, such as `index.run`, `variables` the environment's variables in the clear. Keep one
    Target for as long as its facts hold: a new one gets workers of its own, and those of the old
    one end when their calls have.
    """

    installation_id: str
    site_id: str
    environment_id: str
    bundle_dir: Path
    functions: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    memory_mb: int = 512
    permissions: Permissions = Permissions()
    runtime: str = PYTHON_RUNTIME

    @property
    def image(self) -> Image:
        return Image(self.bundle_dir, self.functions, self.variables, self.memory_mb, self.runtime)


class CallContext(dict[str, Any]):
    """The context of calls that share it whole; never changed once it is made.

    `text` is it as JSON, written once for all of them.
    """

    __slots__ = ("_text",)

    _text: bytes

    def written_as(self, text: bytes) -> Self:
        """The same, when it is known already how it is written."""
        self._text = text
        return self

    @property
    def text(self) -> bytes:
        try:
            return self._text
        except AttributeError:
            self._text = msgspec.json.encode(dict(self))
            return self._text


class Invocation(NamedTuple):
    """One call of one function.

    `request` holds `method, path, userPath, headers, queryParameters, pathParameters` as
    docs/reference/functions.md describes them; `body` is the raw body. `context` holds what the
    gateway knows of the call (`gateway/context.py`); invocation id, trace id and deadline are added
    from here. `timeout_ms` counts from the moment that
    the call begins to run in a worker.
    """

    id: str
    trace_id: str
    function_key: str
    handler: str
    request: Mapping[str, Any]
    body: bytes
    context: Mapping[str, Any]
    timeout_ms: int


class Answer(NamedTuple):
    """What the handler answered, checked: fit to be sent to the caller as it is.

    Header names are lower case; a name may occur more than once. There is a `content-type` where
    there is a body. `duration_us` is the time in the worker, in microseconds.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    duration_us: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without an answer. `message` is for the developer (it is logged), not the caller.

    `exception`: the handler raised. `bad_result`: it returned what cannot be sent.
    `too_large`: it returned more than may be sent. `timeout`: it was killed at its time limit.
    `out_of_memory`: it needed more memory than it may have. `worker_lost`: its process ended.
    `import_error`: the app's code could not be loaded. `busy`: it never started: no worker came
    free in time, or the installation was stopped. `stale`: it never started either: its gateway
    decided it from what may have been out of date.
    """

    kind: FailureKind
    message: str
    duration_us: int


Outcome = Answer | Failure


def processors_beside_the_gateway() -> int:
    """How many processors this process may use, but for one; at least one."""
    usable = getattr(os, "sched_getaffinity", None)
    count = len(usable(0)) if usable is not None else os.cpu_count() or 1
    return max(1, count - 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """The pool's limits. Times in milliseconds.

    Of one installation, `side_by_side` workers run quick calls at the same time: more of them than
    processors would only take turns on these.
    """

    workers_per_installation: int = 4
    workers: int = 64
    queue_per_installation: int = 100
    queue_ms: int = 10_000
    start_ms: int = 10_000
    idle_ms: int = 60_000
    zygote_idle_ms: int = 300_000
    drain_ms: int = 10_000
    warm_node_workers: int = 2
    side_by_side: int = field(default_factory=processors_beside_the_gateway)
