"""Where the APIs of a product are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("product", sa.Column("upstream", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("product", "upstream")
