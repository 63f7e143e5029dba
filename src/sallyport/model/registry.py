"""What developers register: apps, environments, scopes, variables, versions, installations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PRODUCTION = "production"
BUILT_IN_ENVIRONMENTS = ("development", "staging", PRODUCTION)


class AppRole(StrEnum):
    """What an account is on an app. Only admins register scopes, contract section (c.2)."""

    ADMIN = "admin"
    CONTRIBUTOR = "contributor"


class EnvironmentType(StrEnum):
    DEVELOPMENT = "DEVELOPMENT"
    STAGING = "STAGING"
    PRODUCTION = "PRODUCTION"


def environment_type(key: str) -> EnvironmentType:
    """Names other than the built-in ones are development environments, contract section (j)."""
    return {
        "staging": EnvironmentType.STAGING,
        PRODUCTION: EnvironmentType.PRODUCTION,
    }.get(key, EnvironmentType.DEVELOPMENT)


def app_title(name: str, environment_key: str) -> str:
    """An app's name as people see it: `People (STAGING)`, bare in production, contract (k)."""
    kind = environment_type(environment_key)
    return name if kind is EnvironmentType.PRODUCTION else f"{name} ({kind})"


@dataclass(frozen=True, slots=True)
class App:
    id: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Environment:
    id: str
    app_id: str
    key: str
    created_at: int

    @property
    def type(self) -> EnvironmentType:
        return environment_type(self.key)

    @property
    def namespace(self) -> str:
        """`<app-id>.<environment-id>`: `sns` and the prefix of scopes, contract (f.2), (f.3)."""
        return f"{self.app_id}.{self.id}"


@dataclass(frozen=True, slots=True)
class CustomScope:
    """A developer-defined scope as registered in one environment; `name` ends in `:custom`."""

    name: str
    description: str
    display_name: str | None


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an environment. `value` is None where it is secret and only listed."""

    key: str
    value: str | None
    secret: bool


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable upload. `manifest` is the manifest as JSON text; `bundle` a SHA-256 in hex.

    `dependencies` are the packages that the app's requirements were resolved to, pinned by hash, as
    JSON text; None without any.
    """

    id: str
    environment_id: str
    major: int
    minor: int
    manifest: str
    bundle: str
    tag: str | None
    created_by: str | None
    created_at: int
    dependencies: str | None = None

    @property
    def number(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class Installation:
    """One app environment on one product of one site; follows the newest minor of `major`."""

    id: str
    site_id: str
    environment_id: str
    product: str
    major: int
    installed_by: str | None
    created_at: int
