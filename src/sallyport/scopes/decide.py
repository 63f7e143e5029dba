"""The decision about one call, from facts alone.

Each rule looks at facts and returns None where it is content, or a `Denied` that says what is
missing and what would mend it. Nothing here is cached, looked up or timed, so the same facts give
the same answer (invariant: a decision depends only on current facts).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from sallyport.model.access import Grant, Integration, IntegrationLink, TokenFamily, product_scope
from sallyport.model.access import VerifiedToken as Token
from sallyport.vocab.errors import Reason


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a call may not pass. Scope tuples are sorted and un-namespaced."""

    reason: Reason
    detail: str
    fix: str | None
    required: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def deny_other_api(token: Token, names: Collection[str]) -> Denied | None:
    """A token for one API opens no other (RFC 8707, RFC 9068 section 4). `names` are this one's."""
    if token.audience is None or token.audience in names:
        return None
    return Denied(
        Reason.TOKEN_FOR_OTHER_API,
        "The access token was issued for another API than this one.",
        "Get a token with this API's base URL as resource, or without resource.",
    )


def deny_other_app(token: Token, namespace: str) -> Denied | None:
    """A token belongs to one app environment; it opens no other."""
    if token.namespace == namespace:
        return None
    return Denied(
        Reason.TOKEN_FOR_OTHER_APP,
        "The access token was issued for another app or another environment of it.",
        f"Get a token with sns={namespace} in the authorization URL.",
    )


def deny_switched_off(enabled: bool, site_name: str) -> Denied | None:
    """REST APIs are off until an admin of the site turns them on, contract section (g)."""
    if enabled:
        return None
    return Denied(
        Reason.REST_APIS_OFF,
        f"An admin of {site_name} has not turned on REST APIs for this app.",
        "Ask an admin of the site to open Connected apps, choose this app and turn on REST APIs.",
    )


def deny_dead_family(family: TokenFamily | None) -> Denied | None:
    """A token dies with its family."""
    if family is not None and family.revoked_at is None:
        return None
    return Denied(
        Reason.TOKEN_REVOKED,
        "This token, or the refresh token that it came from, was revoked.",
        "Ask for consent again to get a new token.",
    )


def deny_dead_grant(token: Token, grant: Grant | None) -> Denied | None:
    """A token names a grant and has no authority without it."""
    if (
        grant is not None
        and grant.revoked_at is None
        and grant.client_id == token.client_id
        and grant.account_id == token.account_id
    ):
        return None
    return Denied(
        Reason.GRANT_REVOKED,
        "The account or an admin of the site ended the consent behind this token.",
        "Ask for consent again to get a new token.",
    )


def deny_other_site(grant: Grant, site_id: str) -> Denied | None:
    """A grant is for one site; the token opens no other."""
    if grant.site_id == site_id:
        return None
    return Denied(
        Reason.TOKEN_FOR_OTHER_SITE,
        "The access token was issued for another site.",
        "Use this site's base URL only with tokens that were consented to on this site.",
    )


def deny_dead_integration(integration: Integration | None) -> Denied | None:
    """Revoking an integration ends its tokens."""
    if integration is not None and integration.revoked_at is None:
        return None
    return Denied(
        Reason.INTEGRATION_REVOKED,
        "The integration behind this token was revoked.",
        "Create a new integration in the developer console.",
    )


def link_of(integration: Integration, site_id: str, environment_id: str) -> IntegrationLink | None:
    """The integration's link to one app environment on one site."""
    for link in integration.links:
        if link.site_id == site_id and link.environment_id == environment_id:
            return link
    return None


def deny_unlinked(link: IntegrationLink | None) -> Denied | None:
    """An integration calls only apps that it is linked to."""
    if link is not None:
        return None
    return Denied(
        Reason.INTEGRATION_UNLINKED,
        "The integration is no longer linked to this app on this site.",
        "Link the integration to the app again in the developer console.",
    )


def deny_not_member(role: object | None) -> Denied | None:
    """An account acts only on sites that it belongs to now."""
    if role is not None:
        return None
    return Denied(
        Reason.MEMBERSHIP_ENDED,
        "The account that consented is no longer an active member of this site.",
        "Ask an admin of the site to add the account, or have another member consent.",
    )


def effective_scopes(token: Token, grant: Grant, link: IntegrationLink) -> frozenset[str]:
    """What the token may do now: granted, still consented to, still allowed to the integration."""
    return token.scopes & grant.scopes & (link.scopes | link.product_scopes)


@lru_cache(maxsize=4096)
def _required(route_scopes: tuple[str, ...], product: str) -> tuple[frozenset[str], frozenset[str]]:
    """The custom scopes that a route needs, and all that it needs."""
    custom = frozenset(route_scopes)
    return custom, custom | {product_scope(product)}


def deny_missing_scopes(
    route_scopes: Iterable[str], product: str, effective: frozenset[str]
) -> Denied | None:
    """Every scope of the route, and the product's own scope, contract sections (a) and (h)."""
    custom, required = _required(tuple(route_scopes), product)
    missing = required - effective
    if not missing:
        return None
    names = ", ".join(sorted(missing))
    return Denied(
        Reason.SCOPE_MISSING if missing & custom else Reason.PRODUCT_SCOPE_MISSING,
        f"This route needs {', '.join(sorted(required))}. The token lacks {names}.",
        f"Add {names} to the integration and to the scope parameter of the authorization URL, "
        "then ask for consent again.",
        required=tuple(sorted(required)),
        granted=tuple(sorted(effective)),
        missing=tuple(sorted(missing)),
    )
