"""Find the newest calls of an app environment without reading all of them."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_decision_environment_id_at", "decision", ["environment_id", "at"])


def downgrade() -> None:
    op.drop_index("ix_decision_environment_id_at", "decision")
