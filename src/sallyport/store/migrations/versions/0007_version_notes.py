"""What developers tell callers about the functions of a version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "version_notes",
        sa.Column(
            "version_id",
            sa.String(36),
            sa.ForeignKey("version.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("notes", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("version_notes")
