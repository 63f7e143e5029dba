"""The platform as its operator sees it: the processes that answer, what they hold, their limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process that answers calls, as it stood `at` (milliseconds, as `started_at`).

    `lag_ms` is how far it is behind the change feed: a revocation is in force in it after that; 0
    where each change is told before the writer goes on. `workers` run app code, `busy` of them
    answer a call, `waiting` calls have none yet. `sandbox` says what app code runs in, `dropped`
    how many records it lost since it started.
    """

    host: str
    pid: int
    at: int
    started_at: int
    lag_ms: int
    workers: int
    busy: int
    waiting: int
    most_workers: int
    facts: int
    sandbox: str
    dropped: int


@dataclass(frozen=True, slots=True)
class LimitSetting:
    """A limit that every process was started with, and the setting that changes it."""

    variable: str
    value: int
    text: str


@dataclass(frozen=True, slots=True)
class PlatformCounts:
    """How many of each there are; calls are those of the last day."""

    organizations: int
    sites: int
    accounts: int
    apps: int
    installations: int
    integrations: int
    calls: int
    refused: int
