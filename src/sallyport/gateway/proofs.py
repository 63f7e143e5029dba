"""DPoP proofs at the gateway: each is good for one call (RFC 9449 section 11.1).

What was used is remembered in memory, until it would be refused for its age: a call must not wait
for a database. Where several processes take calls, the host's memory has the last word on those
that run. docs/decisions/0011-dpop-proofs-at-the-gateway.md has what that promises.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from sallyport.gateway.call import Call
from sallyport.observe.metrics import LIMITS_REACHED
from sallyport.tokens.proof import AGE, AHEAD, Proof, Wanted, canonical_url
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused

MOST: Final = 250_000


class ProofMemory:
    """The proofs that were used; `most` of them at the most, and then no more are taken.

    What was made before `started_at`, in milliseconds, may have been used with the process before
    this one, and is refused.
    """

    def __init__(self, started_at: int = 0, most: int = MOST) -> None:
        self._made_from = started_at // SECOND * SECOND
        self._most = most
        # In the order in which they are forgotten: each is kept for as long as any may be good.
        self._used: OrderedDict[bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._used)

    def take(self, proof: Proof, now: int) -> None:
        """Remember that a proof is used. Raises `Refused` where it was, or cannot be, remembered.

        Reasons: DPOP_PROOF_REPLAYED, DPOP_PROOFS_FULL.
        """
        self.take_digest(proof.digest, proof.made_at, now)

    def take_digest(self, digest: str, made_at: int, now: int) -> None:
        """As `take`, of a proof that another process has checked."""
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        key = bytes.fromhex(digest)
        if key in self._used:
            raise _replayed("The DPoP proof was used before.")
        if made_at < self._made_from:
            raise _replayed("The DPoP proof was made before this platform was started.")
        if len(self._used) >= self._most:
            LIMITS_REACHED.labels("dpop_proofs").inc()
            raise Refused(
                Reason.DPOP_PROOFS_FULL,
                "More DPoP proofs were used in the last minute than are remembered.",
                fix="Try again later, with a new proof.",
                headers={"Retry-After": "5"},
            )
        self._used[key] = now + AGE + AHEAD


def wanted_of(
    call: Call,
    access_token: str,
    public_url: str,
    site_url: str | None,
    nonces: Collection[str] | None,
) -> Wanted:
    """What a proof must be for, to fit a call: the platform's address or the site's, as configured.

    What the Host header says is the caller's to choose.
    """
    assert call.address is not None
    bases = [] if call.address.by_host else [public_url]
    bases += [site_url] if site_url is not None else []
    urls = [canonical_url(base + call.raw_path) for base in bases]
    return Wanted(call.method, urls, access_token, nonces)


def _replayed(detail: str) -> Refused:
    return Refused(
        Reason.DPOP_PROOF_REPLAYED,
        detail,
        fix="Make a new proof, with a jti of its own, for each request.",
    )
