"""How often an address, and a client from an address, may ask the endpoints that clients call.

Counted before a body is read, a secret hashed or the database asked. What a client may ask is
counted for each address by itself: a client id is no secret, and whoever sends another's must not
spend what is its. All endpoints share the buckets; docs/reference/oauth.md has the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from sallyport.oauth.errors import TEMPORARILY_UNAVAILABLE, OAuthError
from sallyport.observe.metrics import LIMITS_REACHED
from sallyport.vocab.buckets import Buckets, Key, Quota, neighbourhood, seconds
from sallyport.vocab.clock import SECOND
from sallyport.vocab.ids import is_uuid

_WHOSE = {
    "oauth_address": "one network address",
    "oauth_client": "one client from one network address",
}


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The operator's quotas, None for no limit, and the buckets that they fill."""

    address: Quota | None = None
    client: Quota | None = None
    addresses: Buckets = field(default_factory=Buckets)
    clients: Buckets = field(default_factory=Buckets)

    def charge_address(self, request: Request, now: int) -> None:
        """Count a request. Raises `OAuthError` where its address has spent its quota."""
        if self.address is not None:
            _charge(self.addresses, (address_of(request),), self.address, now)

    def charge_client(self, request: Request, client_id: str, now: int) -> None:
        """Count a request of who says to be this client. Raises `OAuthError`."""
        # What is no id costs no look into the database, so it need not be remembered either.
        if self.client is not None and is_uuid(client_id):
            _charge(self.clients, (client_id, address_of(request)), self.client, now)


def address_of(request: Request) -> str:
    """Whom the address of a request counts as."""
    return neighbourhood(request.client.host if request.client is not None else "")


def _charge(buckets: Buckets, key: Key, quota: Quota, now: int) -> None:
    standing = buckets.charge([(key, quota)], now)
    if not standing.wait:
        return
    LIMITS_REACHED.labels(f"{quota.name}_requests").inc()
    wait = seconds(standing.wait)
    raise OAuthError(
        TEMPORARILY_UNAVAILABLE,
        f"The limit is {quota.calls} requests in {quota.window // SECOND} seconds for "
        f"{_WHOSE[quota.name]}. Wait {wait} seconds.",
        status=429,
        headers={"Retry-After": str(wait)},
    )
