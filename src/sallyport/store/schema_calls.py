"""The tables of policies about calls: limits that differ, idempotency keys, usage."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from sallyport.store.columns import Digest, Id, metadata, moment, reference

call_limit = Table(
    "call_limit",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("subject", Id, primary_key=True),
    Column("site_id", String(36), primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("changed_by", Id),
    moment("changed_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("digest", Digest, primary_key=True),
    reference("installation_id", "installation.id"),
    Column("fingerprint", Digest, nullable=False),
    Column("owner", String(64), nullable=False),
    moment("started_at"),
    moment("lease_until"),
    moment("expires_at"),
    Column("state", String(16), nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", LargeBinary),
    Column("failure", String(32)),
    Column("size", BigInteger, nullable=False),
    Index(None, "installation_id"),
    Index(None, "expires_at"),
    Index(None, "state", "owner"),
)

idempotency_usage = Table(
    "idempotency_usage",
    metadata,
    reference("installation_id", "installation.id", primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

usage = Table(
    "usage",
    metadata,
    Column("digest", Digest, primary_key=True),
    moment("hour"),
    Column("site_id", Id, nullable=False),
    Column("app_id", Id, nullable=False),
    Column("environment_id", Id, nullable=False),
    Column("client_id", Id),
    Column("route_key", Text),
    Column("scopes", Text, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("worker_us", BigInteger, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Index(None, "hour"),
    Index(None, "site_id", "hour"),
    Index(None, "environment_id", "hour"),
    Index(None, "client_id", "hour"),
)
