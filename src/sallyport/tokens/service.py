"""Tokens of service accounts, by client credentials (RFC 6749 section 4.4)."""

from __future__ import annotations

from sallyport.model.redemption import Denial
from sallyport.model.target import Target
from sallyport.store.client_secrets import while_live
from sallyport.store.engine import Store
from sallyport.store.service_accounts import issue_to_service
from sallyport.tokens.codes import Redeemed
from sallyport.tokens.policy import UNAUTHORIZED_CLIENT, TokenPolicy
from sallyport.vocab import ids


async def issue(
    store: Store,
    policy: TokenPolicy,
    client_id: str,
    scopes: frozenset[str] | None,
    address: str | None,
    jkt: str | None = None,
    target: Target | None = None,
    secret_digest: str | None = None,
) -> Redeemed | Denial:
    """A token family for an authenticated service account; durable when it returns.

    `scopes` are un-namespaced; None asks for all that was allowed. `jkt` is the key that
    the account proved to hold, `target` what the token is to be for, `secret_digest` of the secret
    that it proved itself by. Raises `SecretEnded`.
    """
    issued = await store.write(
        while_live,
        client_id,
        secret_digest,
        issue_to_service,
        policy,
        client_id,
        scopes,
        ids.new_ordered_id(store.clock.now()),
        address,
        jkt,
        target,
    )
    if issued is None:
        return Denial(
            UNAUTHORIZED_CLIENT,
            "Only a live service account gets tokens by client credentials; an integration needs "
            "an account's consent.",
        )
    if isinstance(issued, Denial):
        return issued
    return Redeemed(issued, None)
