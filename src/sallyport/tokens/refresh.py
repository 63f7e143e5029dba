"""Refresh tokens: stored as digests, rotated at each use.

The successor is kept for whoever presents the token before it again, sealed under a key that only
that token gives: neither the database nor the master key opens it.
"""

from __future__ import annotations

import hashlib
import hmac

from sallyport.model.redemption import Denial, RefreshOffer
from sallyport.store.client_secrets import while_live
from sallyport.store.engine import Store
from sallyport.store.seal import Sealer
from sallyport.store.token_store import Successor, rotate_refresh
from sallyport.tokens.codes import Redeemed
from sallyport.tokens.policy import INVALID_GRANT, UNKNOWN_REFRESH, TokenPolicy
from sallyport.vocab import ids

_PURPOSE = "refresh-token successor"
_NO_SALT = bytes(hashlib.sha256().digest_size)
_FIRST_BLOCK = _PURPOSE.encode() + b"\x01"


async def rotate(
    store: Store,
    policy: TokenPolicy,
    presented: str,
    offer: RefreshOffer,
    address: str | None,
    secret_digest: str | None = None,
) -> Redeemed | Denial:
    """Exchange a refresh token for its one successor; durable when it returns.

    `secret_digest` is of the secret that the client proved itself by. Raises `SecretEnded`.
    """
    if not ids.is_well_formed(presented, ids.REFRESH_TOKEN):
        return Denial(INVALID_GRANT, UNKNOWN_REFRESH)
    sealer = _sealer_of(presented)
    successor = ids.new_secret(ids.REFRESH_TOKEN)
    issue = await store.write(
        while_live,
        offer.client_id,
        secret_digest,
        rotate_refresh,
        policy,
        ids.digest(presented),
        offer,
        Successor(ids.digest(successor), sealer.seal(successor.encode(), _PURPOSE)),
        address,
    )
    if issue is None:
        return Denial(INVALID_GRANT, UNKNOWN_REFRESH)
    if isinstance(issue, Denial):
        return issue
    if issue.sealed is not None:
        successor = sealer.open(issue.sealed, _PURPOSE).decode()
    return Redeemed(issue, successor)


def _sealer_of(token: str) -> Sealer:
    """Of a key by HKDF with SHA-256 (RFC 5869), without salt: its first block is all that it takes.

    `cryptography` takes twice as long over it, with every token.
    """
    extracted = hmac.digest(_NO_SALT, token.encode(), "sha256")
    return Sealer(hmac.digest(extracted, _FIRST_BLOCK, "sha256"))
