"""Known sources, turned into canonical deliveries."""
