"""Metrics of several processes as one: counts are summed, gauges are told apart by process.

A count never goes down: what a process had counted when it was last asked stays when it has gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from sallyport.observe.metrics import registry

HOST: Final = "host"

Families = list[tuple[str, str, str, list[tuple[str, dict[str, str], float]]]]
"""Name, type, text, and samples of name, labels, value; JSON can carry it."""


def families() -> Families:
    """What this process has measured so far."""
    return [
        (
            each.name,
            each.type,
            each.documentation,
            [(s.name, s.labels, s.value) for s in each.samples if not s.name.endswith("_created")],
        )
        for each in registry.collect()
    ]


class Sums:
    """The measures of this process and of others, as they were last put here."""

    def __init__(self) -> None:
        self._latest: dict[str, Families] = {}
        self._gone: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def put(self, process: str, measured: Families) -> None:
        """Take what a process says of itself."""
        self._latest[process] = measured

    def keep(self, process: str) -> None:
        """A process has gone: its counts stay, its gauges do not."""
        for _, kind, _, samples in self._latest.pop(process, []):
            if kind != "gauge":
                for name, labels, value in samples:
                    key = (name, tuple(sorted(labels.items())))
                    self._gone[key] = self._gone.get(key, 0) + value

    def exposition(self) -> bytes:
        """All of it in the Prometheus text format."""
        return generate_latest(_Collected(list(self._collect())))

    def _collect(self) -> Iterator[Metric]:
        processes = {HOST: families(), **self._latest}
        metrics: dict[str, Metric] = {}
        sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
        for process, measured in processes.items():
            for name, kind, text, samples in measured:
                metric = metrics.setdefault(name, Metric(name, text, kind))
                summed = sums.setdefault(name, {})
                for sample, labels, value in samples:
                    if kind == "gauge":
                        metric.add_sample(sample, {**labels, "process": process}, value)
                    else:
                        key = (sample, tuple(sorted(labels.items())))
                        before = summed.get(key)
                        summed[key] = value + (self._gone.get(key, 0) if before is None else before)
        for name, metric in metrics.items():
            for (sample, labels_of), value in sums[name].items():
                metric.add_sample(sample, dict(labels_of), value)
            yield metric


class _Collected(CollectorRegistry):
    """Has `generate_latest` write what was collected already."""

    def __init__(self, metrics: list[Metric]) -> None:
        super().__init__()
        self._metrics: Any = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)
