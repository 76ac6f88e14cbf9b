"""Which night gave an answer or a move back to other software."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("actions", "moves")


def upgrade() -> None:
    """To this version. What earlier nights took up was theirs to give back: it is not given again."""
    for table in TABLES:
        op.add_column(table, sa.Column("given_for", sa.Date(), nullable=True))
        rows = sa.table(table, sa.column("given_for"), sa.column("taken_for"))
        op.execute(sa.update(rows).values(given_for=rows.c.taken_for))


def downgrade() -> None:
    """Back to the version before."""
    for table in TABLES:
        op.drop_column(table, "given_for")
