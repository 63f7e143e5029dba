"""How often a sign-in may be tried: counted before any password is hashed, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from sallyport.vocab.buckets import (
    Buckets,
    Key,
    Quota,
    neighbourhood,
    seconds,
    seconds_in_words,
)
from sallyport.vocab.clock import MINUTE, SECOND
from sallyport.vocab.errors import Reason, Refused

PER_PERSON = 10
WINDOW = 10 * MINUTE
REMEMBERED = 20_000

# How much looser the limits are that count more than one email from one address.
_EMAIL, _ADDRESS = 5, 6


class Attempts:
    """Three limits: an email from one address, an email from anywhere, an address.

    The first is the tight one, `tries` in ten minutes, so that a stranger's guesses do not lock a
    person out elsewhere. A success gives its attempt back.
    """

    def __init__(
        self,
        tries: int = PER_PERSON,
        clock: Callable[[], float] = time.monotonic,
        buckets: Buckets | None = None,
    ) -> None:
        self._clock = clock
        self._buckets = buckets if buckets is not None else Buckets(REMEMBERED)
        self._person = Quota("person", tries, WINDOW)
        self._email = Quota("email", tries * _EMAIL, WINDOW)
        self._address = Quota("address", tries * _ADDRESS, WINDOW)

    def spend(self, email: str, address: str | None) -> None:
        """Take one attempt. Where none is left it takes none and raises `Refused`, RATE_LIMITED."""
        self._spend(self._all_of(email, address))

    def give_back(self, email: str, address: str | None) -> None:
        """The attempt succeeded: it does not count."""
        self._buckets.give_back(self._all_of(email, address), self._now())

    def spend_by_address(self, address: str | None) -> None:
        """Take one attempt of an address that names nobody. Raises `Refused`, RATE_LIMITED."""
        self._spend([(("address", neighbourhood(address or "")), self._address)])

    def give_back_by_address(self, address: str | None) -> None:
        """The attempt of an address succeeded: it does not count."""
        key: Key = ("address", neighbourhood(address or ""))
        self._buckets.give_back([(key, self._address)], self._now())

    def _spend(self, asked: list[tuple[Key, Quota]]) -> None:
        standing = self._buckets.charge(asked, self._now())
        if standing.wait:
            wait = seconds(standing.wait)
            raise Refused(
                Reason.RATE_LIMITED,
                "There were too many attempts to sign in.",
                fix=f"Wait {seconds_in_words(wait)}, then try again.",
                headers={"Retry-After": str(wait)},
            )

    def _all_of(self, email: str, address: str | None) -> list[tuple[Key, Quota]]:
        place = neighbourhood(address or "")
        return [
            (("person", email, place), self._person),
            (("email", email), self._email),
            (("address", place), self._address),
        ]

    def _now(self) -> int:
        return int(self._clock() * SECOND)
