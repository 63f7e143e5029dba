"""The whole key-value store, web triggers and schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.String(length=36)
_DIGEST = sa.String(length=64)


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length=length).with_variant(
        sa.String(length=length, collation="C"), "postgresql"
    )


def _of_installation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["installation_id"],
        ["installation.id"],
        name=f"fk_{table}_installation_id",
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.create_table(
        "kv_item",
        sa.Column("installation_id", _ID, nullable=False),
        sa.Column("space", _text(80), nullable=False),
        sa.Column("key", _text(500), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        _of_installation("kv_item"),
        sa.PrimaryKeyConstraint("installation_id", "space", "key", name="pk_kv_item"),
    )
    op.create_index("ix_kv_item_expires_at", "kv_item", ["expires_at"])
    op.create_table(
        "kv_index",
        sa.Column("installation_id", _ID, nullable=False),
        sa.Column("index_id", _DIGEST, nullable=False),
        sa.Column("part", _DIGEST, nullable=False),
        sa.Column(
            "place",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("space", _text(80), nullable=False),
        sa.Column("key", _text(500), nullable=False),
        _of_installation("kv_index"),
        sa.ForeignKeyConstraint(
            ["installation_id", "space", "key"],
            ["kv_item.installation_id", "kv_item.space", "kv_item.key"],
            name="fk_kv_index_installation_id_space_key",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "installation_id", "index_id", "part", "place", "key", name="pk_kv_index"
        ),
    )
    op.create_index(
        "ix_kv_index_installation_id_space_key", "kv_index", ["installation_id", "space", "key"]
    )
    op.create_table(
        "kv_index_state",
        sa.Column("installation_id", _ID, nullable=False),
        sa.Column("index_id", _DIGEST, nullable=False),
        sa.Column("space", _text(80), nullable=False),
        sa.Column("filled_to", _text(500), nullable=True),
        sa.Column("ready", sa.Boolean(), nullable=False),
        _of_installation("kv_index_state"),
        sa.PrimaryKeyConstraint("installation_id", "index_id", name="pk_kv_index_state"),
    )
    op.create_table(
        "kv_usage",
        sa.Column("installation_id", _ID, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        _of_installation("kv_usage"),
        sa.PrimaryKeyConstraint("installation_id", name="pk_kv_usage"),
    )
    _move_entries()
    op.create_table(
        "web_trigger",
        sa.Column("id", _ID, nullable=False),
        sa.Column("installation_id", _ID, nullable=False),
        sa.Column("module_key", sa.String(length=255), nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", _ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _of_installation("web_trigger"),
        sa.PrimaryKeyConstraint("id", name="pk_web_trigger"),
        sa.UniqueConstraint("digest", name="uq_web_trigger_digest"),
        sa.UniqueConstraint(
            "installation_id", "module_key", name="uq_web_trigger_installation_id_module_key"
        ),
    )
    op.create_table(
        "scheduled_run",
        sa.Column("installation_id", _ID, nullable=False),
        sa.Column("module_key", sa.String(length=255), nullable=False),
        sa.Column("interval", sa.String(length=16), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        _of_installation("scheduled_run"),
        sa.PrimaryKeyConstraint("installation_id", "module_key", name="pk_scheduled_run"),
    )
    op.create_index("ix_scheduled_run_next_at", "scheduled_run", ["next_at"])


def _move_entries() -> None:
    # Keys and values count in bytes; what SQLite calls bytes of a text, PostgreSQL calls octets.
    size = (
        "octet_length(key) + octet_length(value)"
        if op.get_bind().dialect.name == "postgresql"
        else "length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))"
    )
    op.execute(
        "INSERT INTO kv_item (installation_id, space, key, value, size, created_at, updated_at) "
        f"SELECT installation_id, '', key, value, {size}, created_at, updated_at FROM kv_entry"
    )
    op.execute(
        "INSERT INTO kv_usage (installation_id, bytes, entries) "
        "SELECT installation_id, SUM(size), COUNT(*) FROM kv_item GROUP BY installation_id"
    )
    op.drop_table("kv_entry")


def downgrade() -> None:
    op.create_table(
        "kv_entry",
        sa.Column("installation_id", _ID, nullable=False),
        sa.Column("key", _text(500), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _of_installation("kv_entry"),
        sa.PrimaryKeyConstraint("installation_id", "key", name="pk_kv_entry"),
    )
    op.execute(
        "INSERT INTO kv_entry (installation_id, key, value, created_at, updated_at) "
        "SELECT installation_id, key, value, created_at, updated_at FROM kv_item "
        "WHERE space = '' AND expires_at IS NULL"
    )
    for table in (
        "scheduled_run",
        "web_trigger",
        "kv_usage",
        "kv_index_state",
        "kv_index",
        "kv_item",
    ):
        op.drop_table(table)
