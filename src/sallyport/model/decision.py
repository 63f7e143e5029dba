"""What the gateway decided about one call, gate by gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Gate = Literal[
    "path",
    "site",
    "route",
    "token",
    "switch",
    "grant",
    "scopes",
    "limits",
    "idempotency",
    "function",
]

GATES: tuple[Gate, ...] = (
    "path",
    "site",
    "route",
    "token",
    "switch",
    "grant",
    "scopes",
    "limits",
    "idempotency",
    "function",
)


class DecisionRecord(NamedTuple):
    """One call as it is remembered. `gate` is the gate that shut, None where all stood open.

    `reason` is a stable code, None for an allowed call. `problem` is the problem document that the
    caller got. Times in milliseconds since the epoch, `duration_us` in microseconds, and
    of it `worker_us` in the worker. `bytes_in` and `bytes_out` are the sizes of the bodies.
    """

    id: str
    trace_id: str
    at: int
    method: str
    path: str
    status: int
    gate: Gate | None
    reason: str | None
    problem: dict[str, Any] | None
    duration_us: int
    site_id: str | None
    app_id: str | None
    environment_id: str | None
    installation_id: str | None
    route_key: str | None
    client_id: str | None
    account_id: str | None
    grant_id: str | None
    invocation_id: str | None
    worker_us: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None

    @property
    def app_path(self) -> str:
        """The path inside the app, or the whole path where it names no app."""
        _, apps, rest = self.path.partition("/apps/")
        _, slash, inner = rest.partition("/")
        return slash + inner if apps and slash else self.path


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that app code wrote, or that the platform wrote about an invocation."""

    at: int
    level: Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    text: str
    environment_id: str
    installation_id: str
    site_id: str
    invocation_id: str
    trace_id: str
    function_key: str
