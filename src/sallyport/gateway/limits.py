"""How often may be called: leaky buckets in bounded memory, and what answers tell of them.

A quota is so many calls in a minute: all at once if need be, then they come back evenly (GCRA).
Each bucket belongs to one site, so no tenant spends what is another's. Arithmetic is in whole
numbers and time is passed in; docs/reference/limits.md has the table. What is lost when the process
ends is how much of the last minute's quota was spent.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sallyport.model.manifest import Route
from sallyport.observe.metrics import LIMITS_REACHED
from sallyport.vocab.clock import MINUTE, SECOND
from sallyport.vocab.errors import Reason, Refused

MOST_BUCKETS = 100_000

_SWEPT_AT_ONCE = 4


class Quota(NamedTuple):
    """`calls` (at least 1) in `window` milliseconds; `name` is what callers are told."""

    name: str
    calls: int
    window: int = MINUTE


class Standing(NamedTuple):
    """How a caller stands after a call: the quotas that count, and the one with least left.

    `remaining` calls are left in `tightest`; in `reset` milliseconds it is whole again. `wait` is
    0 where the call may go on, else the milliseconds until one more may.
    """

    quotas: tuple[Quota, ...]
    tightest: Quota
    remaining: int
    reset: int
    wait: int


class _Level(NamedTuple):
    """What a bucket held `at` some time; a call weighs a window's milliseconds.

    It loses `calls` a millisecond, so a full bucket of `calls` calls is empty after a window.
    """

    weight: int
    at: int
    empty_at: int


class Buckets:
    """One bucket for each key that was charged lately.

    Beyond `bound` the one that was charged longest ago is forgotten.
    """

    __slots__ = ("_bound", "_levels")

    def __init__(self, bound: int = MOST_BUCKETS) -> None:
        self._bound = bound
        self._levels: dict[Hashable, _Level] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def charge(self, asked: Sequence[tuple[Hashable, Quota]], now: int) -> Standing:
        """Take one call from every bucket, or from none where one of them is spent.

        `asked` is not empty and names no key twice. `now` in milliseconds; a clock that is set back
        makes nobody wait longer than a window.
        """
        levels = self._levels
        charged = []
        worst: Standing | None = None
        quotas = tuple(quota for _, quota in asked)
        for key, quota in asked:
            calls, window = quota.calls, quota.window
            full = calls * window
            level = levels.get(key)
            weight = _left(level, calls, full, now) if level is not None else 0
            over = weight + window - full
            if over <= 0:
                weight += window
            empties = -(-weight // calls)
            standing = Standing(
                quotas,
                quota,
                (full - weight) // window if over <= 0 else 0,
                empties,
                max(0, -(-over // calls)),
            )
            if worst is None or _is_tighter(standing, worst):
                worst = standing
            charged.append((key, _Level(weight, now, now + empties)))
        assert worst is not None
        if worst.wait == 0:
            for key, level in charged:
                # Taken out and put in again, so that the order is that of the last charge.
                levels.pop(key, None)
                levels[key] = level
            self._sweep(now)
        return worst

    def _sweep(self, now: int) -> None:
        """Forget a few buckets that are empty, and any beyond the bound."""
        levels = self._levels
        for _ in range(_SWEPT_AT_ONCE):
            oldest = next(iter(levels))
            if levels[oldest].empty_at > now and len(levels) <= self._bound:
                return
            del levels[oldest]
            if not levels:
                return


def _left(level: _Level, calls: int, full: int, now: int) -> int:
    """What is left in a bucket of now `calls` calls, which may have been other than before."""
    drained = max(0, now - level.at) * calls
    return max(0, min(full, level.weight) - drained)


def _is_tighter(one: Standing, other: Standing) -> bool:
    if one.wait or other.wait:
        return one.wait > other.wait
    return one.remaining * other.tightest.calls < other.remaining * one.tightest.calls


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
        asked: list[tuple[Hashable, Quota]] = []
        if self.integration is not None:
            asked.append((("integration", site_id, client_id), self.integration))
        if self.account is not None:
            asked.append((("account", site_id, account_id), self.account))
        if self.app is not None:
            asked.append((("app", site_id, environment_id), self.app))
        if route.rate_limit is not None:
            whose = {"account": account_id, "integration": client_id, "site": ""}
            key = ("route", site_id, environment_id, route.key, whose[route.rate_limit.per])
            asked.append((key, Quota("route", route.rate_limit.calls)))
        return self.accepted_buckets.charge(asked, now) if asked else None

    def charge_refusal(self, address: str, site_id: str | None, now: int) -> Standing | None:
        """Count a refused call; where nobody is known, the network address stands for them."""
        if self.refused is None:
            return None
        return self.refused_buckets.charge([((address, site_id), self.refused)], now)


def a_minute(name: str, calls: int) -> Quota | None:
    """The quota of a setting: 0 is no limit."""
    return Quota(name, calls) if calls else None


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
    seconds = _seconds(standing.wait)
    return Refused(
        Reason.RATE_LIMITED,
        f"The limit is {quota.calls} calls in {quota.window // SECOND} seconds for "
        f"{_WHOSE[quota.name]}.",
        fix=f"Wait {seconds} s. {_FIXES[quota.name]}",
        members={"limit": quota.name},
        headers={"Retry-After": str(seconds)},
    )


def limit_headers(standing: Standing) -> tuple[tuple[str, str], ...]:
    """`RateLimit-Policy` and `RateLimit`, draft-ietf-httpapi-ratelimit-headers-10.

    The first lists every quota that counts, the second says how the tightest stands.
    """
    return (
        ("ratelimit-policy", _policy(standing.quotas)),
        (
            "ratelimit",
            f'"{standing.tightest.name}";r={standing.remaining};t={_seconds(standing.reset)}',
        ),
    )


@lru_cache(maxsize=1024)
def _policy(quotas: tuple[Quota, ...]) -> str:
    return ", ".join(f'"{name}";q={calls};w={window // SECOND}' for name, calls, window in quotas)


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // SECOND)
