"""One file a family of features; `features.catalogue` lists them."""
