"""Nonces for DPoP proofs (RFC 9449 section 8): a code for each minute, which nobody has to keep.

A proof that holds one was made within the last minutes, whatever its maker's clock says; none can
be made to be kept for later. Every process with the same key knows the same ones.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from sallyport.vocab.clock import SECOND

MINUTE: Final = 60 * SECOND
HEADER: Final = "DPoP-Nonce"
PURPOSE: Final = "dpop nonce"


class Nonces:
    """`key` is secret and at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the key of nonces must have 32 bytes at least")
        self._key = key
        self._minute = -1
        self._accepted: tuple[str, ...] = ()

    def current(self, now: int) -> str:
        """The nonce to hand out."""
        return self.accepted(now)[0]

    def accepted(self, now: int) -> tuple[str, ...]:
        """Those that a proof may hold: of this minute, the one before, and the next.

        The next is another host's whose clock is ahead.
        """
        minute = now // MINUTE
        if minute != self._minute:
            self._accepted = tuple(self._of(minute + step) for step in (0, -1, 1))
            self._minute = minute
        return self._accepted

    def _of(self, minute: int) -> str:
        code = hmac.digest(self._key, str(minute).encode("ascii"), hashlib.sha256)
        return base64.urlsafe_b64encode(code[:18]).decode("ascii")
