"""When and in what order: composes the other folders and runs them."""

import os

# OpenMP's threads spin while they wait for each other: beside other jobs on the same cores, a fit with two threads took five times as long
# as with one. Read when LightGBM loads OpenMP, so set before anything does.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
