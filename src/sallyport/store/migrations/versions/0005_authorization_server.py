"""Clients of every kind, pushed requests, approvals, outside identities, overlapping keys.

Integrations made before this were told that PKCE is optional, so they stay Forge-compatible.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Id = sa.String(36)
Digest = sa.String(64)


def _false(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def _key(name: str, target: str) -> sa.Column[str]:
    return sa.Column(name, Id, sa.ForeignKey(target, ondelete="CASCADE"), nullable=False)


ADDED: dict[str, tuple[sa.Column[Any], ...]] = {
    "integration": (
        sa.Column("kind", sa.String(16), nullable=False, server_default="confidential"),
        _false("forge_compatible"),
        _false("require_par"),
        _false("require_dpop"),
        sa.Column("jwks", sa.Text()),
        sa.Column("verified_at", sa.BigInteger()),
    ),
    "integration_link": (
        sa.Column("optional_scopes", sa.Text(), nullable=False, server_default="[]"),
    ),
    "authorization_code": (
        sa.Column("dpop_jkt", sa.String(64)),
        sa.Column("resource", sa.Text()),
    ),
    "token_family": (
        sa.Column("dpop_jkt", sa.String(64)),
        sa.Column("resource", sa.Text()),
    ),
    "signing_key": (sa.Column("signs_from", sa.BigInteger(), nullable=False, server_default="0"),),
    "session": (
        sa.Column("handle", Id),
        sa.Column("address", sa.Text()),
        sa.Column("agent", sa.Text()),
        sa.Column("method", sa.String(16), nullable=False, server_default="password"),
    ),
    "account": (sa.Column("kind", sa.String(16), nullable=False, server_default="person"),),
    "site": (_false("approval_required"),),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column._copy())
    op.execute("UPDATE integration SET forge_compatible = true")
    op.execute("UPDATE signing_key SET signs_from = created_at")
    op.create_table(
        "pushed_request",
        sa.Column("digest", Digest, primary_key=True),
        _key("client_id", "integration.client_id"),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("consumed_at", sa.BigInteger()),
    )
    op.create_index("ix_pushed_request_expires_at", "pushed_request", ["expires_at"])
    op.create_table(
        "used_proof",
        sa.Column("digest", Digest, primary_key=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_used_proof_expires_at", "used_proof", ["expires_at"])
    op.create_table(
        "approval",
        sa.Column("id", Id, primary_key=True),
        _key("client_id", "integration.client_id"),
        _key("site_id", "site.id"),
        _key("environment_id", "environment.id"),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("product_scopes", sa.Text(), nullable=False),
        sa.Column("optional_scopes", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        _key("asked_by", "account.id"),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("approved_scopes", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("decided_by", Id),
        sa.Column("decided_at", sa.BigInteger()),
    )
    op.create_index("ix_approval_site_id_state", "approval", ["site_id", "state"])
    op.create_index("ix_approval_client_id", "approval", ["client_id"])
    op.create_table(
        "external_identity",
        sa.Column("issuer", sa.String(500), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        _key("account_id", "account.id"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_external_identity_account_id", "external_identity", ["account_id"])


def downgrade() -> None:
    for table in ("external_identity", "approval", "used_proof", "pushed_request"):
        op.drop_table(table)
    for table, columns in ADDED.items():
        for column in reversed(columns):
            op.drop_column(table, column.name)
