"""Who was withdrawn, so that no older delivery brings their name back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = {"withdrawn_learners": "learner_id", "withdrawn_advisors": "advisor_id"}


def upgrade() -> None:
    """To this version. Of who was withdrawn before nothing was kept."""
    for table, key in TABLES.items():
        op.create_table(
            table,
            sa.Column(key, sa.String(length=64), nullable=False),
            sa.Column("known_on", sa.DateTime(timezone=True), nullable=False),
            sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{table}")),
        )


def downgrade() -> None:
    """Back to the version before."""
    for table in TABLES:
        op.drop_table(table)
