"""One call on its way in: what came from outside, and what the steps have found out so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sallyport.gateway.behind import Behind
from sallyport.gateway.sources import Installed
from sallyport.manifest.table import Found
from sallyport.model.access import Grant, IntegrationLink, VerifiedToken
from sallyport.model.decision import Gate
from sallyport.model.directory import Site
from sallyport.tokens.proof import Proof
from sallyport.vocab.buckets import Standing
from sallyport.vocab.trace import TraceParent

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Address:
    """What the canonical path names: site, product, app, and the path inside the app."""

    by_host: bool
    product: str
    cloud_id: str | None
    app_id: str
    environment_id: str | None
    segments: tuple[str, ...]
    app_path: str


@dataclass(slots=True)
class Call:
    """`raw_path` is undecoded and without the query; header names are lower case.

    `content_length` is None where the request did not say. `now` is milliseconds since the epoch.
    `peer` is the network address that the request came from. `standing` is None before the caller
    was counted. `spared`: answered without running the function; `replayed`: by an earlier answer.
    `as_dpop`: the token came with the scheme DPoP; `proven`: so did a proof that its key is held;
    `nonce`: what the caller's next proof is to hold; `unshared` the proof that came, where other
    processes must be told of it before the call runs. `facts_version`: what it was decided from.
    `parent` is the span that the caller says it calls from; our own span is `traceparent`, and
    `sampled` whether we record it.
    """

    method: str
    raw_path: str
    query: str
    host: str
    headers: Headers
    content_length: int | None
    now: int
    trace_id: str
    decision_id: str
    invocation_id: str
    peer: str = ""
    parent: TraceParent | None = None
    sampled: bool = False

    gate: Gate = "path"
    address: Address | None = None
    site: Site | None = None
    installed: Installed | None = None
    found: Found | None = None
    token: VerifiedToken | None = None
    as_dpop: bool = False
    proven: bool = False
    nonce: str | None = None
    unshared: Proof | None = None
    facts_version: int = -1
    grant: Grant | None = None
    link: IntegrationLink | None = None
    behind: Behind | None = None
    scopes: frozenset[str] = frozenset()
    standing: Standing | None = None
    idempotency_key: str | None = None
    spared: bool = False
    replayed: bool = False
    worker_us: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    request: dict[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def traceparent(self) -> TraceParent:
        """This call as the parent of what it causes; its span is part of its invocation id."""
        sampled = self.sampled or (self.parent is not None and self.parent.sampled)
        span_id = self.invocation_id[19:23] + self.invocation_id[24:]
        return TraceParent(self.trace_id, span_id, sampled)

    def header_values(self, name: str) -> list[str]:
        """Every value of a header, in order; `name` in lower case."""
        return [value for key, value in self.headers if key == name]
