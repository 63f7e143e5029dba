"""Who may call: integrations, links, grants, codes, token families, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OFFLINE_ACCESS = "offline_access"


def product_scope(product: str) -> str:
    """`read:forge-app:<product>`: needed besides custom scopes, contract section (a)."""
    return f"read:forge-app:{product}"


@dataclass(frozen=True, slots=True)
class IntegrationLink:
    """An integration's tie to one app environment on one site, with the scopes it may ask for.

    `optional` are those of them that the account may leave out when it consents.
    """

    site_id: str
    app_id: str
    environment_id: str
    scopes: frozenset[str]
    product_scopes: frozenset[str]
    optional: frozenset[str] = frozenset()


class ClientKind(StrEnum):
    """What sort of OAuth client an integration is (RFC 6749 section 2.1)."""

    CONFIDENTIAL = "confidential"
    PUBLIC = "public"
    SERVICE = "service"
    """A service account: client credentials alone, no redirect URI, its own account."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A public key that a client signs in by, for one algorithm."""

    kid: str | None
    algorithm: str
    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Integration:
    """An OAuth client ("3LO integration"). `redirect_uris` match exactly.

    `forge_compatible`: a confidential client that may go without PKCE, as the vendor's do. `jwks`
    is a JWK Set as JSON text; with it the client proves itself by `private_key_jwt` alone.
    `verified_at`: when the operator vouched for it.
    """

    client_id: str
    name: str
    owner_id: str
    redirect_uris: tuple[str, ...]
    links: tuple[IntegrationLink, ...]
    created_at: int
    revoked_at: int | None
    kind: ClientKind = ClientKind.CONFIDENTIAL
    forge_compatible: bool = False
    require_par: bool = False
    require_dpop: bool = False
    jwks: str | None = None
    verified_at: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one account consented to: integration, site, app environment, scopes (un-namespaced)."""

    id: str
    client_id: str
    account_id: str
    site_id: str
    app_id: str
    environment_id: str
    scopes: frozenset[str]
    created_at: int
    revoked_at: int | None

    @property
    def namespace(self) -> str:
        """`<app-id>.<environment-id>`, contract section (f.3)."""
        return f"{self.app_id}.{self.environment_id}"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A client that acts for itself on one site (RFC 6749 section 4.4).

    `grant` is what an admin of the site allowed it; it acts as the account `grant.account_id`.
    """

    client_id: str
    name: str
    grant: Grant
    created_by: str
    created_at: int


@dataclass(frozen=True, slots=True)
class TokenFamily:
    """The tokens that descend from one code. Revoking it ends them all.

    `dpop_jkt`: the key that its refresh tokens are bound to (RFC 9449 section 5); `resource`: the
    one API that its access tokens are for (RFC 8707).
    """

    id: str
    grant_id: str
    scopes: frozenset[str]
    created_at: int
    expires_at: int
    revoked_at: int | None
    dpop_jkt: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `id` is the digest of the cookie; the cookie itself is never stored."""

    id: str
    account_id: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An account's key to the control API, as listed; the key itself is never stored."""

    id: str
    account_id: str
    label: str
    created_at: int


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """The claims of an access token whose signature, type, issuer, audience and times were checked.

    Only `tokens.access.verify` makes one. `scopes` are un-namespaced; they belong to `namespace`.
    `jkt` is the thumbprint of the key that it is bound to (RFC 9449 section 6), None of a bearer's.
    `audience` is the base URL of the one API that it is for (RFC 8707), None: this platform.
    It carries no authority by itself: grant, family, integration and membership are looked at anew.
    """

    token_id: str
    grant_id: str
    family_id: str
    account_id: str
    client_id: str
    namespace: str
    scopes: frozenset[str]
    expires_at: int
    jkt: str | None = None
    audience: str | None = None
