"""When and in what order: composes the other folders and runs them."""
