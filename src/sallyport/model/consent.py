"""What the consent pages show: plain values, made by the authorization server, drawn by web."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RouteLine:
    """One route that a scope opens: `GET`, `/employees/{id}`."""

    operation: str
    path: str


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """One scope as asked for. `title` is its display name or its name.

    `optional`: the person may leave it out; `picked`: unless they touch it, it stays in.
    """

    name: str
    title: str
    description: str
    routes: tuple[RouteLine, ...]
    optional: bool = False
    picked: bool = True


@dataclass(frozen=True, slots=True)
class SiteChoice:
    """A site that the account can allow this for."""

    site_id: str
    host: str
    name: str


@dataclass(frozen=True, slots=True)
class ConsentView:
    """One request for consent. `fields` are the hidden form fields that bring the request back.

    `scopes` are what is asked for anew, `already` what was allowed before and comes along. `sites`
    has at least one entry; `chosen` is the site preselected, if any. `verified`: the operator
    vouches for the integration. `redirect_origin` is where the browser goes next,
    `https://app.example`: the page's policy must name it.
    """

    integration_name: str
    integration_owner: str
    verified: bool
    app_name: str
    environment_key: str
    account_name: str
    account_email: str
    redirect_host: str
    redirect_origin: str
    sites: tuple[SiteChoice, ...]
    chosen: str | None
    scopes: tuple[ScopeLine, ...]
    already: tuple[ScopeLine, ...]
    stays_connected: bool
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AuthorizeProblem:
    """Why an authorization request stops on a page and not at the client's address.

    `retry_after`: the seconds to wait, where waiting helps; they belong into `Retry-After`.
    """

    title: str
    detail: str
    fix: str | None
    status: int
    retry_after: int | None = None
