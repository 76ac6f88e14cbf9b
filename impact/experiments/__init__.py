"""Experiments: a plan fixed before the data, a draw anyone can make again, an analysis that says what was planned."""
