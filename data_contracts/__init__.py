"""What each table is, how deliveries become tables, and where realistic deliveries come from."""
