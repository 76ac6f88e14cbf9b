"""Tests that print a PDF need what lays out its text."""

from ctypes.util import find_library

import pytest

needs_pdf = pytest.mark.skipif(
    find_library("pango-1.0") is None or find_library("harfbuzz-subset") is None,
    reason="Pango or HarfBuzz is not installed (Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0)",
)
