"""Authorization codes: made when consent is given, stored as digests, good for one exchange."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.model.redemption import CodeOffer, Denial, Issue
from sallyport.store.client_secrets import while_live
from sallyport.store.engine import Store
from sallyport.store.token_store import redeem_code
from sallyport.tokens.policy import INVALID_GRANT, UNKNOWN_CODE, TokenPolicy
from sallyport.vocab import ids


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code gave. `refresh_token` is None without `offline_access`."""

    issue: Issue
    refresh_token: str | None


def new_code() -> tuple[str, str]:
    """A fresh code and the digest to store."""
    code = ids.new_secret(ids.AUTHORIZATION_CODE)
    return code, ids.digest(code)


async def redeem(
    store: Store,
    policy: TokenPolicy,
    code: str,
    offer: CodeOffer,
    address: str | None,
    secret_digest: str | None = None,
) -> Redeemed | Denial:
    """Exchange a code; durable when it returns.

    `secret_digest` is of the secret that the client proved itself by. Raises `SecretEnded`.
    """
    if not ids.is_well_formed(code, ids.AUTHORIZATION_CODE):
        return Denial(INVALID_GRANT, UNKNOWN_CODE)
    refresh_token = ids.new_secret(ids.REFRESH_TOKEN)
    issue = await store.write(
        while_live,
        offer.client_id,
        secret_digest,
        redeem_code,
        policy,
        ids.digest(code),
        offer,
        ids.new_ordered_id(store.clock.now()),
        ids.digest(refresh_token),
        address,
    )
    if issue is None:
        return Denial(INVALID_GRANT, UNKNOWN_CODE)
    if isinstance(issue, Denial):
        return issue
    return Redeemed(issue, refresh_token if issue.refreshable else None)
