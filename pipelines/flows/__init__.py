"""The same steps as Prefect flows, one file a flow."""
