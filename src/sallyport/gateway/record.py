"""The memory of the gateway: each denial kept before it is answered, allowed calls in batches.

What may be lost in a crash: allowed calls of the last moments (`store.batch.WAIT`), and those that
came too often. Never another denial.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from prometheus_client import Counter

from sallyport.gateway.call import Call
from sallyport.gateway.counts import UsageCounts
from sallyport.gateway.spans import span_of
from sallyport.model.decision import DecisionRecord
from sallyport.observe.metrics import CALL_BYTES, CALL_SECONDS, CALLS, WORKER_SECONDS
from sallyport.observe.traces import Traces
from sallyport.store.batch import Batch
from sallyport.store.engine import Store
from sallyport.store.records import add_decisions
from sallyport.vocab.errors import Refused


class Recorder:
    """Keeps decisions."""

    def __init__(self, store: Store, traces: Traces | None = None) -> None:
        self._store = store
        self._traces = traces or Traces()
        self._counts = UsageCounts(store)
        self._batched: Batch[DecisionRecord] = Batch(store, add_decisions)

    @property
    def dropped(self) -> int:
        """How many calls could not be kept."""
        return self._batched.dropped

    @property
    def uncounted(self) -> int:
        """How many calls could not be counted as usage."""
        return self._counts.dropped

    def start(self) -> None:
        self._batched.start()
        self._counts.start()

    async def close(self) -> None:
        await self._batched.close()
        await self._counts.close()

    def allowed(self, call: Call, status: int, duration_us: int) -> None:
        """Keep an allowed call, soon."""
        _measure(call, "none", status, duration_us)
        self._trace(call, status, duration_us, None)
        self._counts.count(call, status, refused=False)
        self._batched.add(_record(call, status, duration_us, None, None))

    def denied_at_once(
        self, call: Call, refused: Refused, problem: dict[str, Any], status: int, duration_us: int
    ) -> None:
        """Keep a denial beyond a limit, soon; not at all where nobody is known to have made it.

        Calls beyond a limit must not cost a write each: they are kept as allowed calls are.
        """
        record = self._denied(call, refused, problem, status, duration_us)
        if call.standing is not None:
            self._batched.add(record)

    async def denied(
        self, call: Call, refused: Refused, problem: dict[str, Any], status: int, duration_us: int
    ) -> None:
        """Keep a denial; it is durable when this returns."""
        record = self._denied(call, refused, problem, status, duration_us)
        await self._store.write(add_decisions, [record])

    def _denied(
        self, call: Call, refused: Refused, problem: dict[str, Any], status: int, duration_us: int
    ) -> DecisionRecord:
        _measure(call, call.gate, status, duration_us)
        self._trace(call, status, duration_us, refused)
        self._counts.count(call, status, refused=refused.reason.status < 500)
        return _record(call, status, duration_us, refused, problem)

    def _trace(self, call: Call, status: int, duration_us: int, refused: Refused | None) -> None:
        if self._traces.exports and self._traces.samples(call.trace_id, call.parent):
            # One that was refused on its way has not been told yet.
            call.sampled = True
            self._traces.add(span_of(call, status, duration_us, refused))


def _measure(call: Call, gate: str, status: int, duration_us: int) -> None:
    _calls_of(gate, f"{status // 100}xx").inc()
    (_ALLOWED_SECONDS if gate == "none" else _DENIED_SECONDS).observe(duration_us / 1_000_000)
    if call.bytes_in:
        _BYTES_IN.inc(call.bytes_in)
    if call.bytes_out:
        _BYTES_OUT.inc(call.bytes_out)
    if call.worker_us is not None:
        WORKER_SECONDS.observe(call.worker_us / 1_000_000)


# Looked up once, not for each call.
_ALLOWED_SECONDS = CALL_SECONDS.labels("allowed")
_DENIED_SECONDS = CALL_SECONDS.labels("denied")
_BYTES_IN = CALL_BYTES.labels("in")
_BYTES_OUT = CALL_BYTES.labels("out")


@lru_cache
def _calls_of(gate: str, status: str) -> Counter:
    return CALLS.labels(gate, status)


def _record(
    call: Call,
    status: int,
    duration_us: int,
    refused: Refused | None,
    problem: dict[str, Any] | None,
) -> DecisionRecord:
    installed, token, address = call.installed, call.token, call.address
    return DecisionRecord(
        call.decision_id,
        call.trace_id,
        call.now,
        call.method[:16],
        call.raw_path[:2048],
        status,
        call.gate if refused is not None else None,
        refused.reason.code if refused is not None else None,
        problem,
        duration_us,
        call.site.id if call.site is not None else None,
        address.app_id if address is not None else None,
        installed.environment.id if installed is not None else None,
        installed.installation.id if installed is not None else None,
        call.found.route.key if call.found is not None else None,
        token.client_id if token is not None else None,
        token.account_id if token is not None else None,
        token.grant_id if token is not None else None,
        call.invocation_id if call.request and not call.spared else None,
        call.worker_us,
        call.bytes_in,
        call.bytes_out,
    )
