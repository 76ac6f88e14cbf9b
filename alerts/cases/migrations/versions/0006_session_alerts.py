"""Sessions to look at as a whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version. The next night fills it."""
    op.create_table(
        "session_alerts",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("advisor_id", sa.String(length=64), nullable=True),
        sa.Column("territory_id", sa.String(length=64), nullable=False),
        sa.Column("course", sa.String(length=300), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("theirs", sa.Integer(), nullable=False),
        sa.Column("session_risk", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "recipient", name=op.f("pk_session_alerts")),
    )
    op.create_index(op.f("ix_session_alerts_advisor_id"), "session_alerts", ["advisor_id"], unique=False)


def downgrade() -> None:
    """Back to the version before."""
    op.drop_table("session_alerts")
