"""How often an address, and a client from an address, may ask for what anybody may ask for.

That is the endpoints that clients call, and `/authorize` where it names a pushed request. Counted
before a secret is hashed or the database asked; an address before a body is read, save at
`/authorize`, whose handle may be in the body. What a client may ask is counted for each address by
itself: a client id is no secret, and whoever sends another's must not spend what is its. All share
the buckets; docs/reference/limits.md has the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sallyport.oauth.errors import TEMPORARILY_UNAVAILABLE, OAuthError
from sallyport.observe.metrics import LIMITS_REACHED
from sallyport.vocab.buckets import (
    Buckets,
    Key,
    Quota,
    neighbourhood,
    seconds,
    seconds_in_words,
)
from sallyport.vocab.clock import SECOND
from sallyport.vocab.ids import is_uuid

_WHOSE = {
    "oauth_address": "one network address",
    "oauth_client": "one client from one network address",
}


class Spent(OAuthError):
    """A quota is spent. `limit` says which in a sentence; `wait`: seconds until there is room."""

    def __init__(self, quota: Quota, wait: int) -> None:
        self.limit = (
            f"The limit is {quota.calls} requests in {quota.window // SECOND} seconds for "
            f"{_WHOSE[quota.name]}."
        )
        self.wait = wait
        super().__init__(
            TEMPORARILY_UNAVAILABLE,
            f"{self.limit} Wait {seconds_in_words(wait)}.",
            status=429,
            headers={"Retry-After": str(wait)},
        )


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The operator's quotas, None for no limit, and the buckets that they fill."""

    address: Quota | None = None
    client: Quota | None = None
    addresses: Buckets = field(default_factory=Buckets)
    clients: Buckets = field(default_factory=Buckets)

    def charge_address(self, address: str, now: int) -> None:
        """Count a request. Raises `Spent` where its address has spent its quota."""
        if self.address is not None:
            _charge(self.addresses, (neighbourhood(address),), self.address, now)

    def charge_client(self, address: str, client_id: str, now: int) -> None:
        """Count a request of who says to be this client. Raises `Spent`."""
        # What is no id costs no look into the database, so it need not be remembered either.
        if self.client is not None and is_uuid(client_id):
            _charge(self.clients, (client_id, neighbourhood(address)), self.client, now)


def _charge(buckets: Buckets, key: Key, quota: Quota, now: int) -> None:
    standing = buckets.charge([(key, quota)], now)
    if not standing.wait:
        return
    LIMITS_REACHED.labels(f"{quota.name}_requests").inc()
    raise Spent(quota, seconds(standing.wait))
