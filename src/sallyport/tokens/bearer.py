"""How an access token travels: one Authorization header, nothing else.

As a bearer token (RFC 6750 section 2.1), or, bound to a key, with the scheme DPoP and a proof that
the key is held (RFC 9449 section 7.1). A token is taken only the way that it was made for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from sallyport.model.access import VerifiedToken
from sallyport.tokens.proof import ALGORITHMS
from sallyport.vocab.errors import Reason, Refused

_CREDENTIALS = re.compile(
    r"([Bb][Ee][Aa][Rr][Ee][Rr]|[Dd][Pp][Oo][Pp]) ([A-Za-z0-9._~+/-]+=*)", re.ASCII
)
_FIX = (
    "Send one header, Authorization: Bearer <access token>. The authorization URL that leads to a "
    "token stands beside the integration in the developer console."
)


def read_credentials(values: Sequence[str]) -> tuple[str, bool]:
    """The one access token among the values of the Authorization header; whether it came as DPoP.

    Raises `Refused` with TOKEN_MISSING or TOKEN_MALFORMED.
    """
    if not values:
        raise Refused(Reason.TOKEN_MISSING, "The request has no Authorization header.", fix=_FIX)
    found = None
    if len(values) == 1:
        value = values[0]
        found = _read_again(value) if len(value) <= _LONGEST_KEPT else _read(value)
    if found is None:
        raise Refused(
            Reason.TOKEN_MALFORMED,
            "The Authorization header holds no single access token.",
            fix=_FIX,
        )
    return found


def _read(value: str) -> tuple[str, bool] | None:
    found = _CREDENTIALS.fullmatch(value)
    return (found[2], len(found[1]) == 4) if found is not None else None


# The same header comes again with each call of a client; what it says never changes.
_LONGEST_KEPT = 2048
_read_again = lru_cache(maxsize=4096)(_read)


def wrong_scheme(*, as_dpop: bool) -> Refused:
    """A bound token is no bearer token, and a bearer token is bound to nothing (RFC 9449 section
    7.2)."""
    if as_dpop:
        return Refused(
            Reason.TOKEN_UNBOUND,
            "The access token is a bearer token; it is bound to no key.",
            fix="Send Authorization: Bearer <access token>, or get a token with a DPoP proof.",
        )
    return Refused(
        Reason.TOKEN_BOUND,
        "The access token is bound to a key and cannot be sent as a bearer token.",
        fix="Send Authorization: DPoP <access token>, and a DPoP header with a proof.",
    )


def require_key(token: VerifiedToken, jkt: str) -> None:
    """The proof is by the key that the token is bound to (RFC 9449 section 4.3, item 12).

    Raises `Refused` with TOKEN_BOUND.
    """
    if token.jkt != jkt:
        raise Refused(
            Reason.TOKEN_BOUND,
            "The access token is bound to another key than the DPoP proof was made with.",
            fix="Make the proof with the key that the token was asked for with.",
        )


def error_of(reason: Reason) -> str:
    """The error code of a challenge for a token that is refused (RFC 6750 section 3.1, RFC 9449
    section 7.1)."""
    if reason is Reason.DPOP_NONCE_NEEDED:
        return "use_dpop_nonce"
    if reason in (Reason.DPOP_PROOF_INVALID, Reason.DPOP_PROOF_REPLAYED):
        return "invalid_dpop_proof"
    return "invalid_token"


def challenges(parameters: str, as_dpop: bool) -> str:
    """The value of WWW-Authenticate: why, under the scheme that was used, and that DPoP is taken.

    RFC 9449 sections 7.1 and 7.2.
    """
    algorithms = f'algs="{" ".join(ALGORITHMS)}"'
    if as_dpop:
        return f"DPoP {parameters}, {algorithms}"
    return f"Bearer {parameters}, DPoP {algorithms}"
