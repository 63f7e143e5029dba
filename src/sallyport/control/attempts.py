"""How often a sign-in may be tried: counted before any password is hashed, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address

from sallyport.vocab.errors import Reason, Refused

PER_PERSON = 10
PER_EMAIL = 50
PER_ADDRESS = 60
WINDOW = 600.0
REMEMBERED = 20_000


_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Bucket:
    """Attempts left, refilled evenly over the window."""

    left: float
    at: float


class Attempts:
    """Three limits: an email from one address, an email from anywhere, an address.

    The first is the tight one, so that a stranger's guesses do not lock a person out elsewhere.
    A success gives its attempt back. Beyond `REMEMBERED` buckets the longest unused is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[_Key, _Bucket] = OrderedDict()

    def spend(self, email: str, address: str | None) -> None:
        """Take one attempt. Where none is left it takes none and raises `Refused`, RATE_LIMITED."""
        now = self._clock()
        buckets = [(self._bucket(key, limit, now), limit) for key, limit in _limits(email, address)]
        wait = max((1 - bucket.left) * WINDOW / limit for bucket, limit in buckets)
        if wait > 0:
            seconds = int(wait) + 1
            raise Refused(
                Reason.RATE_LIMITED,
                "There were too many attempts to sign in.",
                fix=f"Wait {seconds} seconds, then try again.",
                headers={"Retry-After": str(seconds)},
            )
        for bucket, _limit in buckets:
            bucket.left -= 1

    def give_back(self, email: str, address: str | None) -> None:
        """The attempt succeeded: it does not count."""
        now = self._clock()
        for key, limit in _limits(email, address):
            bucket = self._bucket(key, limit, now)
            bucket.left = min(limit, bucket.left + 1)

    def _bucket(self, key: _Key, limit: int, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(limit, now)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(key)
        bucket.left = min(limit, bucket.left + (now - bucket.at) * limit / WINDOW)
        bucket.at = now
        return bucket


def _limits(email: str, address: str | None) -> tuple[tuple[_Key, int], ...]:
    place = _place(address)
    return (
        (("person", email, place), PER_PERSON),
        (("email", email, ""), PER_EMAIL),
        (("address", "", place), PER_ADDRESS),
    )


def _place(address: str | None) -> str:
    """Whoever has one IPv6 address has its whole /64, so that counts as one."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, 64), strict=False))
