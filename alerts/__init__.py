"""Carries a score to a person: who is asked to do what, for whom, until when."""
