"""Indicators of follow-up and performance: a file a family, one row for each thing counted, tabulated the same way for all."""
