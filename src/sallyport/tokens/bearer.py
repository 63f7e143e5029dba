"""How an access token travels: one Authorization header, nothing else (RFC 6750 section 2.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sallyport.vocab.errors import Reason, Refused

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9._~+/-]+=*)", re.ASCII)
_FIX = (
    "Send one header, Authorization: Bearer <access token>. The authorization URL that leads to a "
    "token stands beside the integration in the developer console."
)


def read_bearer(values: Sequence[str]) -> str:
    """The one bearer token among the values of the Authorization header.

    Raises `Refused` with TOKEN_MISSING or TOKEN_MALFORMED.
    """
    if not values:
        raise Refused(Reason.TOKEN_MISSING, "The request has no Authorization header.", fix=_FIX)
    found = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        raise Refused(
            Reason.TOKEN_MALFORMED,
            "The Authorization header holds no single bearer token.",
            fix=_FIX,
        )
    return found[1]
