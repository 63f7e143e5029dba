"""Limits that differ, idempotency keys, usage by the hour, and what a call cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Id = sa.String(36)
Digest = sa.String(64)

COST = ("worker_us", "bytes_in", "bytes_out")


def _installation(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "installation_id",
        Id,
        sa.ForeignKey("installation.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    for name in COST:
        op.add_column("decision", sa.Column(name, sa.BigInteger()))
    op.create_table(
        "call_limit",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("subject", Id, primary_key=True),
        sa.Column("site_id", Id, primary_key=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("changed_by", Id),
        _number("changed_at"),
    )
    op.create_table(
        "idempotency",
        sa.Column("digest", Digest, primary_key=True),
        _installation(),
        sa.Column("fingerprint", Digest, nullable=False),
        sa.Column("owner", Digest, nullable=False),
        _number("started_at"),
        _number("lease_until"),
        _number("expires_at"),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", sa.Text()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("failure", sa.String(32)),
        _number("size"),
    )
    op.create_index("ix_idempotency_installation_id", "idempotency", ["installation_id"])
    op.create_index("ix_idempotency_expires_at", "idempotency", ["expires_at"])
    op.create_index("ix_idempotency_state_owner", "idempotency", ["state", "owner"])
    op.create_table(
        "idempotency_usage",
        _installation(primary_key=True),
        _number("entries"),
        _number("bytes"),
    )
    op.create_table(
        "usage",
        sa.Column("digest", Digest, primary_key=True),
        _number("hour"),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("app_id", Id, nullable=False),
        sa.Column("environment_id", Id, nullable=False),
        sa.Column("client_id", Id),
        sa.Column("route_key", sa.Text()),
        sa.Column("scopes", sa.Text(), nullable=False),
        *(_number(name) for name in ("calls", "refused", "failed", *COST)),
    )
    op.create_index("ix_usage_hour", "usage", ["hour"])
    for name in ("site_id", "environment_id", "client_id"):
        op.create_index(f"ix_usage_{name}_hour", "usage", [name, "hour"])


def downgrade() -> None:
    for table in ("usage", "idempotency_usage", "idempotency", "call_limit"):
        op.drop_table(table)
    for name in reversed(COST):
        op.drop_column("decision", name)
