"""One class a table; `data_contracts.catalogue` lists them."""
