"""The change feed: what a gateway must forget, told after the commit and before the writer returns.

So when a write that closes a door returns, every follower in this process has dropped the fact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


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


class Feed:
    """Hands committed changes to followers, in commit order."""

    def __init__(self) -> None:
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """`follower` must not block and must not raise."""
        self._followers.append(follower)

    def publish(self, changes: list[Change]) -> None:
        for change in changes:
            for follower in self._followers:
                follower(change)
