from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vigie.errors import AlreadyRunningError
from vigie.lock import only_writer

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from vigie.lock import only_writer
with only_writer(Path(sys.argv[1]), "The night of 2026-03-04"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_dies_with_the_process_that_held_it_and_its_note_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "night.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(AlreadyRunningError, match="The night of 2026-03-04"), only_writer(path, "Another"):
        pass

    holder.kill()
    holder.wait()
    holder.stdout.close()

    assert "2026-03-04" in path.with_suffix(".holder").read_text()
    with only_writer(path, "Another"):
        assert "Another" in path.with_suffix(".holder").read_text()
