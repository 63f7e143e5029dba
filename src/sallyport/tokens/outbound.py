"""Tokens for products: JWTs that say which app calls, for whom, from which installation.

They are for the product's upstream alone (`aud`), of a type of their own, and live for a minute.
This platform takes none of them: an access token is `at+jwt`, and names a grant. How a product
verifies one is in docs/reference/product-apis.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sallyport.tokens.keys import KeyRing
from sallyport.vocab.clock import SECOND
from sallyport.vocab.ids import app_ari, new_id

LIFETIME: Final = 60 * SECOND
TYPE: Final = "sallyport-app+jwt"


@dataclass(frozen=True, slots=True)
class AppCall:
    """Who calls a product. `account_id` is the user that the app calls for, None for itself.

    `impersonated`: the user is not the one whose call the app is answering.
    """

    app_id: str
    environment_id: str
    installation_id: str
    site_id: str
    product: str
    invocation_id: str
    account_id: str | None
    impersonated: bool
    scopes: tuple[str, ...]


def mint_outbound(ring: KeyRing, issuer: str, audience: str, caller: AppCall, now: int) -> str:
    """A signed token for one request. `audience` is the origin of the upstream."""
    app = app_ari(caller.app_id)
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": audience,
        "sub": caller.account_id or app,
        "iat": now // SECOND,
        "exp": (now + LIFETIME) // SECOND,
        "jti": new_id(),
        "app": caller.app_id,
        "environment": caller.environment_id,
        "installation": caller.installation_id,
        "site": caller.site_id,
        "product": caller.product,
        "invocation": caller.invocation_id,
        "account": caller.account_id,
        "impersonated": caller.impersonated,
        "scope": _scope_text(caller.scopes),
    }
    if caller.account_id is not None:
        # RFC 8693 section 4.1: the app acts for the user who is the subject.
        claims["act"] = {"sub": app}
    return ring.signing_at(now).write(TYPE, claims)


def _scope_text(scopes: Iterable[str]) -> str:
    return " ".join(sorted(scopes))
