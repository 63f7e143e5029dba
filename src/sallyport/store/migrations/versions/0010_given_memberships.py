"""Tell memberships that an identity provider's claims gave from those given by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("membership", sa.Column("given_by", sa.String(500)))


def downgrade() -> None:
    op.drop_column("membership", "given_by")
