"""The change feed: what a gateway must forget, told after the commit and before the writer returns.

So when a write that closes a door returns, every follower has dropped the fact, in this process and
in those beside it (`feed.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Facts that a gateway holds. The key is given beside each."""

    SITE = "site"  # cloud id
    INSTALLATION = "installation"  # <site>/<environment>
    VERSION = "version"  # environment id
    SWITCH = "switch"  # <site>/<environment>
    APP = "app"  # app id
    INTEGRATION = "integration"  # client id
    GRANT = "grant"  # grant id
    FAMILY = "family"  # token family id
    MEMBERSHIP = "membership"  # <account>/<site>
    ACCOUNT = "account"  # account id
    VARIABLES = "variables"  # environment id
    KEYS = "keys"  # "*"


@dataclass(frozen=True, slots=True)
class Change:
    """A fact that is true no more. `at`: when its transaction began, in milliseconds, 0 if unknown.

    Two changes of one fact are equal, whenever they were made.
    """

    kind: Kind
    key: str
    at: int = field(default=0, compare=False)


Follower = Callable[[Change], None]

ALWAYS: Final = math.inf
# For how long what was read of the feed may be relied on.
LEASE_S: Final = 2.0


class Feed:
    """Hands committed changes to followers, in commit order.

    `fresh_until`: until when what followers hold may be relied on, by `time.monotonic`, which all
    processes of a host share. It ends only where others write too. `confirm`, there, waits until
    each of them knows of what was committed before, or relies on nothing any more.
    """

    def __init__(self) -> None:
        self._followers: list[Follower] = []
        self.fresh_until = ALWAYS
        self.confirm: Callable[[], Awaitable[None]] | None = None

    @property
    def is_behind(self) -> bool:
        """Whether nothing that followers hold may be relied on."""
        return self.fresh_until is not ALWAYS and time.monotonic() >= self.fresh_until

    @property
    def lag_ms(self) -> int:
        """How far what followers hold may be behind, in milliseconds."""
        if self.fresh_until is ALWAYS:
            return 0
        return max(0, math.ceil((time.monotonic() + LEASE_S - self.fresh_until) * 1000))

    def follow(self, follower: Follower) -> None:
        """`follower` must not block and must not raise."""
        self._followers.append(follower)

    def publish(self, changes: list[Change]) -> None:
        for change in changes:
            for follower in self._followers:
                follower(change)
