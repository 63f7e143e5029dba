"""What an app declares: routes, functions, triggers, permissions, scopes; and findings about it.

A `Manifest` is stored as JSON text with each version (`manifest.stored`), so a field may be added
with a default but never renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OPERATIONS = ("GET", "POST", "PUT", "DELETE", "PATCH")
NODE_RUNTIMES = ("nodejs20.x", "nodejs22.x", "nodejs24.x")
PYTHON_RUNTIME = "python3"
RUNTIMES = (*NODE_RUNTIMES, PYTHON_RUNTIME)
DEFAULT_TIMEOUT_SECONDS = 25
DEFAULT_MEMORY_MB = 512

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `line` and `column` count from 1; `fix` says what to change, where known."""

    file: str
    line: int
    column: int
    level: Level
    reference: str
    message: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeDeclaration:
    """A scope as custom-scopes.yaml declares it; `name` ends in `:custom`."""

    name: str
    description: str
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """How many calls of a route a minute; those of one `per` on one site count together."""

    calls: int
    per: Literal["account", "integration", "site"] = "account"


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages may call a route: origins, or `*`; request headers of theirs; what they may read.

    Header names are as written in the manifest.
    """

    origins: tuple[str, ...]
    headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One `apiRoute` entry. `accept` is empty where the manifest is silent."""

    key: str
    operation: str
    path: str
    function: str
    accept: tuple[str, ...]
    scopes: tuple[str, ...]
    rate_limit: RouteLimit | None = None
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function module. `handler` is `<module>.<function>`; `memory_mb` None is the runtime's."""

    key: str
    handler: str
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    memory_mb: int | None = None

    @property
    def module(self) -> str:
        """The file under `src/`, without its extension: `index`, `people/search`."""
        return self.handler.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The exported function."""
        return self.handler.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where functions run: one of `RUNTIMES`. Memory in MB."""

    name: str
    architecture: str = "x86_64"
    memory_mb: int = DEFAULT_MEMORY_MB

    @property
    def is_python(self) -> bool:
        return self.name == PYTHON_RUNTIME


@dataclass(frozen=True, slots=True)
class PermissionScope:
    """A product scope that app code uses; not a custom scope."""

    name: str
    allow_impersonation: bool = False


@dataclass(frozen=True, slots=True)
class Egress:
    """One outside address. `use` is its place under `permissions.external`: `fetch.backend`.

    `category` and `in_scope_eud` are what the manifest says of the data that leaves.
    """

    use: str
    address: str
    category: str | None = None
    in_scope_eud: bool = False


@dataclass(frozen=True, slots=True)
class StaticOutput:
    """One of the answers that a static web trigger may choose from."""

    key: str
    status: int
    body: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class WebTrigger:
    key: str
    function: str | None
    endpoint: str | None = None
    url_format: str | None = None
    response: Literal["dynamic", "static"] = "dynamic"
    outputs: tuple[StaticOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class ScheduledTrigger:
    key: str
    interval: str
    function: str | None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    key: str
    events: tuple[str, ...]
    function: str | None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Consumer:
    key: str
    queue: str
    function: str | None
    method: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """A declared backend. `settings` is the rest of its entry as canonical JSON text."""

    key: str
    base_url: str
    settings: str = "{}"


@dataclass(frozen=True, slots=True)
class Provider:
    """An outside identity provider that app code signs in with."""

    key: str
    client_id: str


@dataclass(frozen=True, slots=True)
class EntityIndex:
    """An index of an entity: equal in every attribute of `partition`, ordered by `range`."""

    name: str
    range: tuple[str, ...]
    partition: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """A declared kind of value in the key-value store; attributes are (name, type)."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    indexes: tuple[EntityIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A valid manifest.

    `app_id` is the UUID in `app.id`, None before the app is registered.
    `external_fetch_backend` are the addresses that functions may call out to.
    `content` are the policies of `permissions.content`, as `scripts:unsafe-inline`.
    """

    app_id: str | None
    name: str | None
    runtime: Runtime
    routes: tuple[Route, ...] = ()
    functions: tuple[Function, ...] = ()
    permissions_scopes: tuple[PermissionScope, ...] = ()
    external_fetch_backend: tuple[str, ...] = ()
    egress: tuple[Egress, ...] = ()
    content: tuple[str, ...] = ()
    enforcement: str | None = None
    licensing: bool = False
    webtriggers: tuple[WebTrigger, ...] = ()
    scheduled_triggers: tuple[ScheduledTrigger, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    remotes: tuple[Remote, ...] = ()
    providers: tuple[Provider, ...] = ()
    entities: tuple[Entity, ...] = ()

    def function(self, key: str) -> Function | None:
        """The function with this key."""
        return next((function for function in self.functions if function.key == key), None)

    @property
    def custom_scopes(self) -> frozenset[str]:
        """Every custom scope that a route asks for."""
        return frozenset(scope for route in self.routes for scope in route.scopes)
