"""Turns contract tables into one matrix, a row per (enrolment, as-of date), by pure functions."""
