"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for verb in ("update", "delete")
    ],
    "postgresql": [
        """CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_append_only()",
    ],
}
"""What nobody may change afterwards, not even this program."""


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "actions",
        sa.Column("action_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_user", sa.String(length=64), nullable=False),
        sa.Column("advisor_id", sa.String(length=64), nullable=True),
        sa.Column("learner_id", sa.String(length=64), nullable=False),
        sa.Column("enrolment_id", sa.String(length=64), nullable=False),
        sa.Column("alert_id", sa.String(length=200), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("barrier", sa.String(length=16), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("useful", sa.Boolean(), nullable=True),
        sa.Column("taken_for", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("action_id", name=op.f("pk_actions")),
    )
    op.create_index(op.f("ix_actions_at"), "actions", ["at"], unique=False)
    op.create_index(op.f("ix_actions_enrolment_id"), "actions", ["enrolment_id"], unique=False)
    op.create_table(
        "advisors",
        sa.Column("advisor_id", sa.String(length=64), nullable=False),
        sa.Column("known_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.PrimaryKeyConstraint("advisor_id", name=op.f("pk_advisors")),
    )
    op.create_index(op.f("ix_advisors_email"), "advisors", ["email"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("alert_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("enrolment_id", sa.String(length=64), nullable=False),
        sa.Column("learner_id", sa.String(length=64), nullable=False),
        sa.Column("advisor_id", sa.String(length=64), nullable=True),
        sa.Column("territory_id", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("risk", sa.Float(), nullable=True),
        sa.Column("low_confidence", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("suggested_action", sa.String(length=64), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("as_of", "alert_id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_as_of_advisor_id_state"), "alerts", ["as_of", "advisor_id", "state"], unique=False)
    op.create_index(op.f("ix_alerts_as_of_territory_id_queue"), "alerts", ["as_of", "territory_id", "queue"], unique=False)
    op.create_index(op.f("ix_alerts_enrolment_id"), "alerts", ["enrolment_id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("attempt_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("who", sa.String(length=300), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_who"), "attempts", ["who"], unique=False)
    op.create_table(
        "audit",
        sa.Column("entry", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=True),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=200), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_object_id"), "audit", ["object_id"], unique=False)
    op.create_table(
        "case_files",
        sa.Column("enrolment_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_case_files")),
    )
    op.create_table(
        "learner_identities",
        sa.Column("learner_id", sa.String(length=64), nullable=False),
        sa.Column("known_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_name", sa.String(length=200), nullable=False),
        sa.Column("family_name", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("learner_id", name=op.f("pk_learner_identities")),
    )
    op.create_table(
        "login_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_tokens")),
    )
    op.create_table(
        "moves",
        sa.Column("move_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_user", sa.String(length=64), nullable=False),
        sa.Column("how", sa.String(length=16), nullable=False),
        sa.Column("learner_id", sa.String(length=64), nullable=False),
        sa.Column("to_advisor_id", sa.String(length=64), nullable=True),
        sa.Column("taken_for", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("move_id", name=op.f("pk_moves")),
    )
    op.create_index(op.f("ix_moves_learner_id"), "moves", ["learner_id"], unique=False)
    op.create_table(
        "nights",
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.String(length=80), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("as_of", name=op.f("pk_nights")),
    )
    op.create_table(
        "people",
        sa.Column("enrolment_id", sa.String(length=64), nullable=False),
        sa.Column("learner_id", sa.String(length=64), nullable=False),
        sa.Column("advisor_id", sa.String(length=64), nullable=True),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("territory_id", sa.String(length=64), nullable=False),
        sa.Column("course", sa.String(length=300), nullable=False),
        sa.Column("entry_date", sa.Date(), nullable=True),
        sa.Column("planned_exit_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_people")),
    )
    op.create_index(op.f("ix_people_advisor_id"), "people", ["advisor_id"], unique=False)
    op.create_index(op.f("ix_people_learner_id"), "people", ["learner_id"], unique=False)
    op.create_table(
        "posts",
        sa.Column("advisor_id", sa.String(length=64), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("territory_id", sa.String(length=64), nullable=False),
        sa.Column("active_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("advisor_id", name=op.f("pk_posts")),
    )
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("advisor_id", sa.String(length=64), nullable=True),
        sa.Column("operator", sa.String(length=64), nullable=True),
        sa.Column("territory_id", sa.String(length=64), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("email"),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Back to the version before."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_append_only ON audit")
        op.execute("DROP FUNCTION audit_append_only")
    op.drop_table("users")
    op.drop_table("sessions")
    op.drop_table("posts")
    op.drop_index(op.f("ix_people_learner_id"), table_name="people")
    op.drop_index(op.f("ix_people_advisor_id"), table_name="people")
    op.drop_table("people")
    op.drop_table("nights")
    op.drop_index(op.f("ix_moves_learner_id"), table_name="moves")
    op.drop_table("moves")
    op.drop_table("login_tokens")
    op.drop_table("learner_identities")
    op.drop_table("case_files")
    op.drop_index(op.f("ix_audit_object_id"), table_name="audit")
    op.drop_index(op.f("ix_audit_at"), table_name="audit")
    op.drop_table("audit")
    op.drop_index(op.f("ix_attempts_who"), table_name="attempts")
    op.drop_table("attempts")
    op.drop_index(op.f("ix_alerts_enrolment_id"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_as_of_territory_id_queue"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_as_of_advisor_id_state"), table_name="alerts")
    op.drop_table("alerts")
    op.drop_index(op.f("ix_advisors_email"), table_name="advisors")
    op.drop_table("advisors")
    op.drop_index(op.f("ix_actions_enrolment_id"), table_name="actions")
    op.drop_index(op.f("ix_actions_at"), table_name="actions")
    op.drop_table("actions")
