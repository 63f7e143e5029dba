"""Calls through the gateway's steps, in one database; what they cost and what is held of them."""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from pathlib import Path

from bench.facts.world import JIRA, READ, Granted, World, fill
from sallyport.gateway.call import Call
from sallyport.gateway.facts import Facts, Lacking
from sallyport.gateway.limits import CallLimits, Quota
from sallyport.gateway.sources import make_sources
from sallyport.gateway.steps import Policy, walk
from sallyport.model.access import VerifiedToken
from sallyport.store.engine import Store, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import SystemClock
from sallyport.vocab.ids import new_id

WORKING_SET = 1_000
TOKENS = 50_000
# So often the memory is looked at while many are called.
LOOKS = 10


class Forgetful(Facts):
    """Facts that can be forgotten all at once, as if the gateway had just started."""

    def forget(self) -> None:
        self._values.clear()
        self._by_tag.clear()
        self._joined.clear()


@dataclass(slots=True)
class Result:
    """Microseconds of processor time of one walk through the steps, and what was held.

    `held` are pairs: how many facts, and how many MB the process had more than before the first.
    """

    installations: int
    grants: int
    filled_s: float = 0.0
    database_mb: float = 0.0
    warm_us: list[float] = field(default_factory=list)
    cold_us: list[float] = field(default_factory=list)
    facts_of_a_cold_call: float = 0.0
    called: int = 0
    held: list[tuple[int, float]] = field(default_factory=list)


class Measured:
    """Calls in a database of its own; `open` makes it."""

    def __init__(self, store: Store, world: World, result: Result) -> None:
        self.result = result
        self._store = store
        self._world = world
        self._choose = random.Random(20261124)
        self._facts = Forgetful(store)
        self._policy = Policy(
            make_sources(Path("bundles")),
            lambda raw, _now: _verified(raw),
            "https://bench.test",
            forge_compatible=False,
            # Counted, but never spent.
            limits=CallLimits(Quota("integration", 10**9), Quota("account", 10**9)),
        )
        self._working = self._some(WORKING_SET)

    @classmethod
    async def open(cls, folder: Path, installations: int, grants: int) -> Measured:
        result = Result(installations, grants)
        path = folder / f"{installations}.db"
        url, world = f"sqlite:///{path}", World(installations, grants)
        store = open_store(url, SystemClock(), Sealer(bytes(32)))
        await migrate(store)
        await store.close()
        result.filled_s = round(await asyncio.to_thread(fill, path, world), 1)
        result.database_mb = round(path.stat().st_size / 2**20, 1)
        return cls(open_store(url, SystemClock(), Sealer(bytes(32))), world, result)

    async def close(self) -> None:
        await self._store.close()

    async def warm(self, calls: int) -> None:
        """Calls whose facts are all held."""
        for each in self._working:
            await self._decide(_call(each))
        made = [_call(self._choose.choice(self._working)) for _ in range(calls)]
        gc.collect()
        began = time.process_time_ns()
        for each in made:
            walk(each, self._facts, self._policy)
        self.result.warm_us.append(_per_call(began, calls))

    async def cold(self, calls: int) -> None:
        """Calls of whom nothing is held, each of another grant."""
        made = [_call(each) for each in self._some(calls)]
        gc.collect()
        before, began = self._facts.loads, time.process_time_ns()
        for each in made:
            self._facts.forget()
            await self._decide(each)
        self.result.cold_us.append(_per_call(began, len(made)))
        self.result.facts_of_a_cold_call = (self._facts.loads - before) / len(made)

    async def call_many(self, grants: int) -> None:
        """Call by as many grants, one after the other, and look at what is held."""
        self._facts.forget()
        called = self._some(grants)
        before = _rss_mb()
        for number, each in enumerate(called, 1):
            await self._decide(_call(each))
            if number % -(-len(called) // LOOKS) == 0:
                self.result.held.append((len(self._facts), round(_rss_mb() - before, 1)))
        self.result.called = len(called)

    def _some(self, count: int) -> Sequence[Granted]:
        grants = range(self._world.grants)
        numbers = self._choose.sample(grants, min(count, len(grants)))
        return [self._world.granted(each) for each in numbers]

    async def _decide(self, call: Call) -> None:
        """As the gateway does: what the steps lack is loaded, and they run again."""
        while True:
            try:
                return walk(call, self._facts, self._policy)
            except Lacking as lacking:
                await self._facts.load(lacking)


def _call(each: Granted) -> Call:
    path = f"/svc/jira/{each.site_id}/apps/{each.app_id}_{each.environment_id}/getEmployeeName"
    token = ".".join(astuple(each))
    headers = (("authorization", f"Bearer {token}"), ("accept", "*/*"))
    return Call("GET", path, "id=1", "bench.test", headers, 0, 1, "t" * 32, "d", new_id())


# Signatures are not what is measured; as many tokens are kept as the gateway keeps.
@lru_cache(maxsize=TOKENS)
def _verified(raw: str) -> VerifiedToken:
    each = Granted(*raw.split("."))
    return VerifiedToken(
        token_id=each.grant_id,
        grant_id=each.grant_id,
        family_id=each.grant_id,
        account_id=each.account_id,
        client_id=each.client_id,
        namespace=f"{each.app_id}.{each.environment_id}",
        scopes=frozenset({READ, JIRA}),
        expires_at=2**60,
    )


def _per_call(began_ns: int, calls: int) -> float:
    return round((time.process_time_ns() - began_ns) / 1000 / calls, 2)


def _rss_mb() -> float:
    """Of this process, now."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
