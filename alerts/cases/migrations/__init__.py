"""Changes of the case store's tables, in order, run by Alembic when the store is opened."""
