"""How often an app may be called, and what answers tell of it.

Each bucket belongs to one site, so no tenant spends what is another's; docs/reference/limits.md has
the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from sallyport.model.manifest import Route
from sallyport.observe.metrics import LIMITS_REACHED
from sallyport.vocab.buckets import Buckets, Key, Quota, Standing, neighbourhood, seconds
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The operator's quotas, None for no limit, and the buckets that they fill.

    `integration` and `account` count one integration and one account on one site; `app` all calls
    of one app environment on one site; `refused` what one address has refused on one site.
    Strangers fill buckets of their own, so that they push nobody else's out.
    """

    integration: Quota | None = None
    account: Quota | None = None
    app: Quota | None = None
    refused: Quota | None = None
    accepted_buckets: Buckets = field(default_factory=Buckets)
    refused_buckets: Buckets = field(default_factory=Buckets)

    def charge_call(
        self,
        route: Route,
        *,
        site_id: str,
        environment_id: str,
        client_id: str,
        account_id: str,
        now: int,
    ) -> Standing | None:
        """Count a call whose caller is known and may make it; None where no limit is set.

        The route's own limit counts besides the operator's, so it can only tighten.
        """
        asked: list[tuple[Key, Quota]] = []
        if self.integration is not None:
            asked.append((("integration", site_id, client_id), self.integration))
        if self.account is not None:
            asked.append((("account", site_id, account_id), self.account))
        if self.app is not None:
            asked.append((("app", site_id, environment_id), self.app))
        if route.rate_limit is not None:
            whose = {"account": account_id, "integration": client_id, "site": ""}
            key: Key = ("route", site_id, environment_id, route.key, whose[route.rate_limit.per])
            asked.append((key, Quota("route", route.rate_limit.calls)))
        return self.accepted_buckets.charge(asked, now) if asked else None

    def charge_refusal(self, address: str, site_id: str | None, now: int) -> Standing | None:
        """Count a refused call; where nobody is known, the network address stands for them."""
        if self.refused is None:
            return None
        return self.refused_buckets.charge([((neighbourhood(address), site_id), self.refused)], now)


_WHOSE = {
    "integration": "this integration on this site",
    "account": "this account on this site",
    "app": "this app on this site, by everybody together",
    "route": "this route, as the app declares it",
    "refused": "calls that are refused, from one address",
}
_FIXES = {
    "integration": "Call less often, or ask the operator for a higher limit.",
    "account": "Call less often, or ask the operator for a higher limit.",
    "app": "Call later, or ask the operator for a higher limit.",
    "route": "Call this route less often.",
    "refused": "Mend what the earlier refusals named before you call again.",
}


def too_many(standing: Standing) -> Refused:
    """The refusal of a call that found a bucket spent."""
    quota = standing.tightest
    LIMITS_REACHED.labels(f"{quota.name}_calls").inc()
    wait = seconds(standing.wait)
    return Refused(
        Reason.RATE_LIMITED,
        f"The limit is {quota.calls} calls in {quota.window // SECOND} seconds for "
        f"{_WHOSE[quota.name]}.",
        fix=f"Wait {wait} s. {_FIXES[quota.name]}",
        members={"limit": quota.name},
        headers={"Retry-After": str(wait)},
    )


def limit_headers(standing: Standing) -> tuple[tuple[str, str], ...]:
    """`RateLimit-Policy` and `RateLimit`, draft-ietf-httpapi-ratelimit-headers-10.

    The first lists every quota that counts, the second says how the tightest stands.
    """
    return (
        ("ratelimit-policy", _policy(standing.quotas)),
        (
            "ratelimit",
            f'"{standing.tightest.name}";r={standing.remaining};t={seconds(standing.reset)}',
        ),
    )


@lru_cache(maxsize=1024)
def _policy(quotas: tuple[Quota, ...]) -> str:
    return ", ".join(f'"{name}";q={calls};w={window // SECOND}' for name, calls, window in quotas)
