"""Prometheus metrics. docs/reference/metrics.md lists them, under test."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()

CALLS = Counter(
    "sallyport_calls_total",
    "Calls to app REST APIs, by the gate that shut (none where all stood open) and status class.",
    ("gate", "status"),
    registry=registry,
)
CALL_SECONDS = Histogram(
    "sallyport_call_seconds",
    "Time from a call's arrival to its answer.",
    ("outcome",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60),
    registry=registry,
)
WORKER_SECONDS = Histogram(
    "sallyport_worker_seconds",
    "Time that calls spent in their workers.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
    registry=registry,
)
CALL_BYTES = Counter(
    "sallyport_call_bytes_total",
    "Bytes of the bodies of calls (in) and of their answers (out).",
    ("direction",),
    registry=registry,
)
FACTS = Gauge(
    "sallyport_gateway_facts",
    "Facts that the gateway holds.",
    registry=registry,
)
FACT_LOADS = Gauge(
    "sallyport_gateway_fact_loads",
    "Facts read from the database since the start.",
    registry=registry,
)
REVOCATION_LAG = Histogram(
    "sallyport_revocation_lag_seconds",
    "Time from the start of a transaction that made a fact untrue (a grant, a switch, a membership "
    "...) until this gateway had dropped the fact; by the kind of change.",
    ("kind",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=registry,
)
WORKERS = Gauge(
    "sallyport_runtime_workers",
    "Worker processes that run app code.",
    registry=registry,
)
RATE_BUCKETS = Gauge(
    "sallyport_rate_buckets",
    "Buckets of rate limits that are held, of callers that were let in and of those refused.",
    ("kind",),
    registry=registry,
)
RECORDS_DROPPED = Gauge(
    "sallyport_records_dropped",
    "Records of allowed calls, log lines and calls counted as usage that were lost because they "
    "came faster than they were written.",
    ("kind",),
    registry=registry,
)

OUTBOUND = Counter(
    "sallyport_outbound_requests_total",
    "Requests of app code to other servers (fetch, product), by status class or code of refusal.",
    ("kind", "outcome"),
    registry=registry,
)
OUTBOUND_SECONDS = Histogram(
    "sallyport_outbound_seconds",
    "Time that requests of app code to other servers took, refusals left out.",
    ("kind",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60),
    registry=registry,
)

LIMITS_REACHED = Counter(
    "sallyport_limits_reached_total",
    "How often a call, or a request of a client, reached a limit; docs/reference/limits.md lists "
    "them.",
    ("limit",),
    registry=registry,
)

IDEMPOTENT_CALLS = Counter(
    "sallyport_idempotent_calls_total",
    "Calls with an Idempotency-Key, by what stood under it (claimed: nothing, so it ran).",
    ("found",),
    registry=registry,
)

WEB_TRIGGER_CALLS = Counter(
    "sallyport_web_trigger_calls_total",
    "Calls of web triggers, by status class.",
    ("status",),
    registry=registry,
)
SCHEDULED_RUNS = Counter(
    "sallyport_scheduled_runs_total",
    "Runs of scheduled triggers, by how they ended.",
    ("outcome",),
    registry=registry,
)
KVS_EXPIRED = Counter(
    "sallyport_kvs_expired_total",
    "Values of apps that were deleted because their time to live had ended.",
    registry=registry,
)

CLEANED = Counter(
    "sallyport_cleaned_rows_total",
    "Rows deleted because nobody could use them any more, by table.",
    ("table",),
    registry=registry,
)


def exposition() -> bytes:
    """All metrics in the Prometheus text format."""
    return generate_latest(registry)
