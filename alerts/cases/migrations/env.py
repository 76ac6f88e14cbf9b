"""Alembic runs the migrations on the connection it is given by `alerts.cases.database`."""

from __future__ import annotations

from alembic import context

from alerts.cases.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
