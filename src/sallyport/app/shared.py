"""What must hold in all gateway processes together: quotas, and what may be used once.

One process has it in memory. Where there are several, the host has it: they ask it before what is
rare, and tell it every moment (`EVERY_S`) what they took from quotas. So a quota is overdrawn by at
most what the others let through within such a moment, and that is owed: it comes back later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sallyport.control.attempts import REMEMBERED, Attempts
from sallyport.gateway.limits import CallLimits
from sallyport.gateway.proofs import ProofMemory
from sallyport.gateway.steps import ShareProof
from sallyport.gateway.windows import Count, Windows
from sallyport.oauth.limits import RequestLimits
from sallyport.runtime.line import Line, LineEnded
from sallyport.settings import Settings
from sallyport.store.engine import Store
from sallyport.tokens.proof import Proof
from sallyport.vocab.buckets import Buckets, a_minute
from sallyport.vocab.shared_buckets import SharedBuckets, Taken

EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Shared:
    """`count` counts the calls of web triggers; `share_proof` is None in one process alone.

    `buckets` are those that quotas, sign-in attempts and OAuth requests fill, in this order on each
    side; none where nobody else fills them.
    """

    limits: CallLimits
    requests: RequestLimits
    attempts: Attempts
    proofs: ProofMemory
    count: Count
    buckets: tuple[SharedBuckets, ...] = ()
    share_proof: ShareProof | None = None

    def taken(self) -> list[list[Taken]]:
        """What was taken from each sort of bucket since this was last asked."""
        return [buckets.taken() for buckets in self.buckets]

    def add(self, taken: Iterable[Iterable[Any]]) -> None:
        """Take what another process let through; `taken` as it came over the line."""
        for buckets, each_taken in zip(self.buckets, taken, strict=True):
            for key, most, window, calls, at in each_taken:
                buckets.add(Taken(tuple(key), most, window, calls, at))

    def levels(self) -> list[Any]:
        """All buckets, for a process that begins."""
        return [buckets.levels() for buckets in self.buckets]

    def take_levels(self, levels: Iterable[Any]) -> None:
        for buckets, filled in zip(self.buckets, levels, strict=True):
            buckets.take_levels((tuple(key), *level) for key, *level in filled)


def alone(settings: Settings, store: Store) -> Shared:
    """For the process that is the only one."""
    made = [Buckets(), Buckets(), Buckets(REMEMBERED), Buckets(), Buckets()]
    count = Windows(settings.web_trigger_calls_per_minute).count
    return _shared(settings, made, ProofMemory(store.clock.now()), count)


def of_host(settings: Settings, store: Store) -> Shared:
    """For the host of several, which answers them from it (`answer_from`)."""
    made = _shared_buckets()
    count = Windows(settings.web_trigger_calls_per_minute).count
    return _shared(settings, made, ProofMemory(store.clock.now()), count, buckets=tuple(made))


def of_gateway(settings: Settings, line: Line, started_at: int) -> Shared:
    """For one of several; the host was started at `started_at`, in milliseconds."""

    async def count(trigger_id: str, now: int) -> None:
        await line.ask("count", trigger_id, now)

    async def share_proof(proof: Proof) -> None:
        await line.ask("use_proof", proof.digest, proof.made_at)

    made = _shared_buckets()
    more: Any = {"buckets": tuple(made), "share_proof": share_proof}
    return _shared(settings, made, ProofMemory(started_at), count, **more)


def answer_from(shared: Shared, store: Store, line: Line) -> None:
    """Have the host answer a gateway process from what it has."""

    async def use_proof(digest: str, made_at: int) -> None:
        shared.proofs.take_digest(digest, made_at, store.clock.now())

    async def levels() -> list[Any]:
        return shared.levels()

    line.answers.update(count=shared.count, use_proof=use_proof, levels=levels)


@asynccontextmanager
async def exchanged(shared: Shared, line: Line) -> AsyncIterator[None]:
    """Tell the host what is taken from quotas, and hear of others, for as long as the block."""

    async def add(taken: list[Any]) -> None:
        shared.add(taken)

    line.answers["add_taken"] = add
    shared.take_levels(await line.ask("levels"))
    task = asyncio.create_task(_tell(shared, line), name="quotas")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tell(shared: Shared, line: Line) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        taken = shared.taken()
        if any(taken):
            try:
                await line.ask("taken", taken)
            except LineEnded:
                return


def _shared_buckets() -> list[SharedBuckets]:
    return [
        SharedBuckets(),
        SharedBuckets(),
        SharedBuckets(REMEMBERED),
        SharedBuckets(),
        SharedBuckets(),
    ]


def _shared(
    settings: Settings,
    made: Sequence[Buckets],
    proofs: ProofMemory,
    count: Count,
    **more: Any,
) -> Shared:
    accepted, refused, attempts, addresses, clients = made
    return Shared(
        CallLimits(
            integration=a_minute("integration", settings.integration_calls_per_minute),
            account=a_minute("account", settings.account_calls_per_minute),
            app=a_minute("app", settings.app_calls_per_minute),
            refused=a_minute("refused", settings.refused_calls_per_minute),
            accepted_buckets=accepted,
            refused_buckets=refused,
        ),
        RequestLimits(
            address=a_minute("oauth_address", settings.oauth_address_requests_per_minute),
            client=a_minute("oauth_client", settings.oauth_client_requests_per_minute),
            addresses=addresses,
            clients=clients,
        ),
        Attempts(settings.sign_in_attempts, buckets=attempts),
        proofs,
        count,
        **more,
    )
