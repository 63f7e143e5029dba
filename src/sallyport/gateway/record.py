"""The memory of the gateway: each denial kept before it is answered, allowed calls in batches.

What may be lost in a crash: allowed calls of the last moments (`store.batch.WAIT`), and those that
came too often. Never another denial.
"""

from __future__ import annotations

from typing import Any

from sallyport.gateway.call import Call
from sallyport.gateway.counts import UsageCounts
from sallyport.gateway.spans import span_of
from sallyport.model.decision import DecisionRecord
from sallyport.observe.metrics import CALL_BYTES, CALL_SECONDS, CALLS, WORKER_SECONDS
from sallyport.observe.traces import Traces
from sallyport.store.batch import Batch
from sallyport.store.engine import Store
from sallyport.store.records import add_decisions
from sallyport.vocab.errors import Reason, Refused


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

    async def denied(
        self, call: Call, refused: Refused, problem: dict[str, Any], status: int, duration_us: int
    ) -> None:
        """Keep a denial; it is durable when this returns.

        Those beyond a limit must not cost a write each: they are kept as allowed calls are, and not
        at all where nobody is known to have made them.
        """
        _measure(call, call.gate, status, duration_us)
        self._trace(call, status, duration_us, refused)
        self._counts.count(call, status, refused=refused.reason.status < 500)
        record = _record(call, status, duration_us, refused, problem)
        if refused.reason is not Reason.RATE_LIMITED:
            await self._store.write(add_decisions, [record])
        elif call.standing is not None:
            self._batched.add(record)

    def _trace(self, call: Call, status: int, duration_us: int, refused: Refused | None) -> None:
        # A call that was refused on its way has not been asked about yet.
        call.sampled = self._traces.samples(call.trace_id, call.parent)
        if call.sampled:
            self._traces.add(span_of(call, status, duration_us, refused))


def _measure(call: Call, gate: str, status: int, duration_us: int) -> None:
    CALLS.labels(gate, f"{status // 100}xx").inc()
    outcome = "allowed" if gate == "none" else "denied"
    CALL_SECONDS.labels(outcome).observe(duration_us / 1_000_000)
    CALL_BYTES.labels("in").inc(call.bytes_in)
    CALL_BYTES.labels("out").inc(call.bytes_out)
    if call.worker_us is not None:
        WORKER_SECONDS.observe(call.worker_us / 1_000_000)


def _record(
    call: Call,
    status: int,
    duration_us: int,
    refused: Refused | None,
    problem: dict[str, Any] | None,
) -> DecisionRecord:
    installed, token, address = call.installed, call.token, call.address
    return DecisionRecord(
        id=call.decision_id,
        trace_id=call.trace_id,
        at=call.now,
        method=call.method[:16],
        path=call.raw_path[:2048],
        status=status,
        gate=call.gate if refused is not None else None,
        reason=refused.reason.code if refused is not None else None,
        problem=problem,
        duration_us=duration_us,
        site_id=call.site.id if call.site is not None else None,
        app_id=address.app_id if address is not None else None,
        environment_id=installed.environment.id if installed is not None else None,
        installation_id=installed.installation.id if installed is not None else None,
        route_key=call.found.route.key if call.found is not None else None,
        client_id=token.client_id if token is not None else None,
        account_id=token.account_id if token is not None else None,
        grant_id=token.grant_id if token is not None else None,
        invocation_id=call.invocation_id if call.request and not call.spared else None,
        worker_us=call.worker_us,
        bytes_in=call.bytes_in,
        bytes_out=call.bytes_out,
    )
