"""Customers and people: organizations, sites, accounts, memberships, products."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SiteRole(StrEnum):
    """What an account is on a site."""

    MEMBER = "member"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Product:
    """What a site runs and apps are installed on: `jira`, `confluence`, or the operator's own.

    `upstream` is the URL of its APIs, None where app code cannot call them.
    """

    key: str
    name: str
    upstream: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One tenant of an organization. `id` is the cloud id; `host` has no port."""

    id: str
    organization_id: str
    host: str
    name: str
    products: tuple[str, ...]
    created_at: int


@dataclass(frozen=True, slots=True)
class Account:
    """A person. `operator` accounts provision customers."""

    id: str
    email: str
    name: str
    operator: bool
    active: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class SessionOrigin:
    """Where a sign-in comes from: network address, browser in plain words, how it was proven."""

    address: str | None = None
    agent: str | None = None
    method: str = "password"


UNKNOWN_ORIGIN = SessionOrigin()


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in, without its cookie. `address` is that of its last use."""

    id: str
    account_id: str
    method: str
    address: str | None
    agent: str | None
    started_at: int
    last_used_at: int


@dataclass(frozen=True, slots=True)
class Membership:
    account_id: str
    site_id: str
    role: SiteRole
    created_at: int


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, from where, and why; `account_id` is None for the platform itself.

    `reason` is what the person said for the audit, empty where nothing was said.
    """

    account_id: str | None
    name: str
    operator: bool = False
    address: str | None = None
    reason: str = ""


PLATFORM = Actor(account_id=None, name="platform", operator=True)
