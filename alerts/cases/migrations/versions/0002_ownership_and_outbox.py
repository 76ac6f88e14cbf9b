"""Hand-over, referral, absences, reminders, the outbox, and log-in by OpenID Connect."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = (
    ("people", "waiting_since", sa.Date()),
    ("people", "referred_to", sa.String(length=64)),
    ("posts", "weekly_capacity", sa.Integer()),
    ("actions", "why", sa.String(length=32)),
    ("actions", "remind_on", sa.Date()),
    ("actions", "reason", sa.String(length=32)),
    ("moves", "from_advisor_id", sa.String(length=64)),
    ("moves", "to_operator", sa.String(length=64)),
)


def upgrade() -> None:
    """To this version. Case files are made again by the next night."""
    op.drop_table("case_files")
    op.create_table(
        "case_files",
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("enrolment_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("as_of", "enrolment_id", name=op.f("pk_case_files")),
    )
    for table, column, kind in COLUMNS:
        op.add_column(table, sa.Column(column, kind, nullable=True))
    op.create_index(op.f("ix_moves_from_advisor_id"), "moves", ["from_advisor_id"], unique=False)
    op.create_index(op.f("ix_people_territory_id_queue"), "people", ["territory_id", "queue"], unique=False)
    op.create_table(
        "advisor_absences",
        sa.Column("absence_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_user", sa.String(length=64), nullable=False),
        sa.Column("advisor_id", sa.String(length=64), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("absence_id", name=op.f("pk_advisor_absences")),
    )
    op.create_index(op.f("ix_advisor_absences_advisor_id"), "advisor_absences", ["advisor_id"], unique=False)
    op.create_table(
        "practice",
        sa.Column("territory_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("off_list", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("territory_id", "reason", "code", name=op.f("pk_practice")),
    )
    op.create_table(
        "oidc_logins",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oidc_logins")),
    )
    op.create_table(
        "outbox",
        sa.Column("item", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("to", sa.String(length=400), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("item", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_next_at"), "outbox", ["next_at"], unique=False)


def downgrade() -> None:
    """Back to the version before."""
    op.drop_index(op.f("ix_outbox_next_at"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("oidc_logins")
    op.drop_table("practice")
    op.drop_index(op.f("ix_advisor_absences_advisor_id"), table_name="advisor_absences")
    op.drop_table("advisor_absences")
    op.drop_index(op.f("ix_people_territory_id_queue"), table_name="people")
    op.drop_index(op.f("ix_moves_from_advisor_id"), table_name="moves")
    for table, column, _ in COLUMNS:
        op.drop_column(table, column)
    op.drop_table("case_files")
    op.create_table(
        "case_files",
        sa.Column("enrolment_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_case_files")),
    )
