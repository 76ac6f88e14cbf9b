"""The log stays append-only, but for one thing: whom a line was about may be taken out of it, for good."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ALIKE = ("entry", "at", "user_id", "role", "verb", "outcome")
REFUSED = "the audit log is append-only"
SQLITE_FORMER = f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
SQLITE = f"""CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    WHEN NOT (NEW.object_id IS '(erased)' AND {" AND ".join(f"NEW.{name} IS OLD.{name}" for name in ALIKE)})
    BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"""
POSTGRESQL = (
    "DROP TRIGGER audit_append_only ON audit",
    "CREATE TRIGGER audit_append_only BEFORE DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_append_only()",
    f"""CREATE FUNCTION audit_forgets_alone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.object_id IS NOT DISTINCT FROM '(erased)'
            AND {" AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in ALIKE)} THEN RETURN NEW; END IF;
        RAISE EXCEPTION '{REFUSED}'; END $$""",
    "CREATE TRIGGER audit_forgets_alone BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_forgets_alone()",
)
POSTGRESQL_FORMER = (
    "DROP TRIGGER audit_forgets_alone ON audit",
    "DROP FUNCTION audit_forgets_alone",
    "DROP TRIGGER audit_append_only ON audit",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_append_only()",
)


def upgrade() -> None:
    """To this version."""
    _run(("DROP TRIGGER audit_no_update", SQLITE), POSTGRESQL)


def downgrade() -> None:
    """Back to the version before."""
    _run(("DROP TRIGGER audit_no_update", SQLITE_FORMER), POSTGRESQL_FORMER)


def _run(sqlite: tuple[str, ...], postgresql: tuple[str, ...]) -> None:
    for statement in sqlite if op.get_bind().dialect.name == "sqlite" else postgresql:
        op.execute(statement)
