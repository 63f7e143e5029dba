"""Say when a session was last used, and let each be named without its cookie."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sallyport.vocab.ids import new_id

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("last_used_at", sa.BigInteger()))
    session = sa.table("session", sa.column("id"), sa.column("handle"))
    bind = op.get_bind()
    nameless = bind.execute(sa.select(session.c.id).where(session.c.handle.is_(None))).all()
    for row in nameless:
        bind.execute(sa.update(session).where(session.c.id == row.id).values(handle=new_id()))


def downgrade() -> None:
    op.drop_column("session", "last_used_at")
