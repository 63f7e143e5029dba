"""Facts: what the gateway knows, loaded on demand, bounded, dropped when the feed says so.

A fact may be an absence ("no such site"); it is kept and dropped like any other. A load that
overlaps a change to what it reads is done again, so a stale read never becomes a fact.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from sallyport.observe.metrics import LIMITS_REACHED, REVOCATION_LAG
from sallyport.store.changes import Change, Kind
from sallyport.store.engine import Store
from sallyport.vocab.errors import Reason, Refused

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

ANY = "*"
DEFAULT_BOUND = 100_000
# What is joined holds on to its facts, so fewer are kept than there may be facts.
MOST_JOINED = 20_000


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """A value and the changes that would make it untrue; the key `ANY` stands for every key."""

    value: T
    tags: tuple[Change, ...]


@dataclass(frozen=True, eq=False)
class Source(Generic[K, T]):
    """Where facts of one sort come from. `name` is for metrics."""

    name: str
    load: Callable[[Store, K], Awaitable[Loaded[T]]]


class Lacking(Exception):
    """A step needs this fact before it can go on."""

    def __init__(self, source: Source[Any, Any], key: Hashable) -> None:
        self.source = source
        self.key = key


_FactKey = tuple[Source[Any, Any], Hashable]


class Facts:
    """The cache of facts; `get` is synchronous, `load` fills what `get` lacked."""

    def __init__(self, store: Store, bound: int = DEFAULT_BOUND) -> None:
        self._store = store
        self._feed = store.feed
        self._bound = bound
        self._values: OrderedDict[_FactKey, Loaded[Any]] = OrderedDict()
        self._by_tag: dict[Change, set[_FactKey]] = {}
        self._loading = 0
        self._heard: list[Change] = []
        self.loads = 0
        self._joined: dict[Hashable, Any] = {}
        self._changes = 0
        store.feed.follow(self._forget)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, source: Source[K, T], key: K) -> T:
        """The fact at hand. Raises `Lacking`, and `Refused` while none may be relied on."""
        if self._feed.is_behind:
            raise feed_is_behind()
        held = self._values.get((source, key))
        if held is None:
            raise Lacking(source, key)
        return cast(T, held.value)

    def joined(self, key: Hashable) -> Any:
        """What was put together from facts that all still hold, or None."""
        return self._joined.get(key)

    def keep_joined(self, key: Hashable, joined: Any) -> None:
        """Keep what follows from facts at hand, until any fact changes."""
        if len(self._joined) >= min(self._bound, MOST_JOINED):
            self._joined.clear()
        self._joined[key] = joined

    @property
    def version(self) -> int:
        """Another number after each change, whichever fact it was about."""
        return self._changes

    def hold_since(self, version: int) -> bool:
        """Whether what was decided from the facts of that version may still be relied on."""
        return version == self._changes and not self._feed.is_behind

    async def load(self, lacking: Lacking) -> None:
        """Read the fact from the store and keep it."""
        self._loading += 1
        self.loads += 1
        try:
            while True:
                since = len(self._heard)
                loaded = await lacking.source.load(self._store, lacking.key)
                if not any(_touches(change, loaded.tags) for change in self._heard[since:]):
                    break
            self._keep((lacking.source, lacking.key), loaded)
        finally:
            self._loading -= 1
            if self._loading == 0:
                self._heard.clear()

    def _keep(self, fact: _FactKey, loaded: Loaded[Any]) -> None:
        self._drop(fact)
        self._values[fact] = loaded
        for tag in loaded.tags:
            self._by_tag.setdefault(tag, set()).add(fact)
        while len(self._values) > self._bound:
            self._drop(next(iter(self._values)))

    def _drop(self, fact: _FactKey) -> None:
        held = self._values.pop(fact, None)
        if held is None:
            return
        for tag in held.tags:
            facts = self._by_tag.get(tag)
            if facts is not None:
                facts.discard(fact)
                if not facts:
                    del self._by_tag[tag]

    def _forget(self, change: Change) -> None:
        self._joined.clear()
        self._changes += 1
        if self._loading:
            self._heard.append(change)
        dropped = False
        for tag in (change, Change(change.kind, ANY)):
            for fact in tuple(self._by_tag.get(tag, ())):
                self._drop(fact)
                dropped = True
        if dropped and change.at:
            lag_ms = max(0, self._store.clock.now() - change.at)
            REVOCATION_LAG.labels(change.kind.value).observe(lag_ms / 1000)


def _touches(change: Change, tags: tuple[Change, ...]) -> bool:
    return change in tags or Change(change.kind, ANY) in tags


def feed_is_behind() -> Refused:
    """What is held may be out of date, so nothing is decided from it."""
    LIMITS_REACHED.labels("facts_lease").inc()
    return Refused(
        Reason.FACTS_STALE,
        "This gateway cannot confirm that what it knows is up to date.",
        fix="Try again in a moment.",
        headers={"Retry-After": "1"},
    )


def tag(kind: Kind, key: str) -> Change:
    """The change that would make a fact untrue."""
    return Change(kind, key)
