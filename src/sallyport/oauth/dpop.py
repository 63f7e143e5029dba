"""DPoP at the authorization server (RFC 9449): proofs are checked, and each is taken once.

Nonces of the server (section 8) are asked for where the platform is set to.
"""

from __future__ import annotations

from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import Headers, OAuthError
from sallyport.store.proofs import use_proof
from sallyport.tokens.bearer import error_of
from sallyport.tokens.nonce import HEADER
from sallyport.tokens.policy import INVALID_DPOP_PROOF
from sallyport.tokens.proof import Proof, Wanted, canonical_url, check_proof
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.message import Asked


async def take_proof(oauth: OAuth, asked: Asked, access_token: str | None = None) -> Proof:
    """The proof that came with a request to one of our endpoints; good for this request alone.

    `access_token` is what the proof must be for, None where there is none yet. Raises `Refused`.
    """
    now = oauth.store.clock.now()
    wanted = Wanted(
        asked.method,
        # The address as it is configured; what the Host header says is the caller's to choose.
        (canonical_url(oauth.issuer + asked.path),),
        access_token,
        oauth.nonces.accepted(now) if oauth.nonces is not None else None,
    )
    proof = check_proof(asked.values(b"dpop"), wanted, now)
    if not await oauth.store.write(use_proof, proof.digest, proof.expires_at):
        raise Refused(
            Reason.DPOP_PROOF_REPLAYED,
            "The DPoP proof was used before.",
            fix="Make a new proof, with a jti of its own, for each request.",
        )
    return proof


async def proven_key(oauth: OAuth, asked: Asked) -> str | None:
    """The thumbprint of the key that a client proves to hold; None where it sends no proof.

    Raises `OAuthError` with `invalid_dpop_proof` or `use_dpop_nonce` (RFC 9449 sections 5 and 8).
    """
    if not asked.values(b"dpop"):
        return None
    try:
        return (await take_proof(oauth, asked)).jkt
    except Refused as refused:
        error = INVALID_DPOP_PROOF
        if refused.reason is Reason.DPOP_NONCE_NEEDED:
            error = error_of(refused.reason)
        raise OAuthError(error, refused.detail, headers=dict(nonce_header(oauth))) from None


def nonce_header(oauth: OAuth) -> Headers:
    """What answers to requests with a proof carry (RFC 9449 section 8.2)."""
    if oauth.nonces is None:
        return ()
    return ((HEADER.lower(), oauth.nonces.current(oauth.store.clock.now())),)
