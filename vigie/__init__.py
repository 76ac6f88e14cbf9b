"""What every folder needs and none owns: settings, clock, store, errors, rules."""
