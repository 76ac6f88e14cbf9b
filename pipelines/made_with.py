"""What a night's bytes depend on beside its facts: code, libraries, rules. A replay says which of them differs."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from vigie.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PACKAGES: Final = ("vigie", "data_contracts", "features", "models", "alerts", "pipelines")
LIBRARIES: Final = ("polars", "duckdb", "lightgbm", "numpy", "woodelf-explainer", "dataframely")
"""Those that compute or write what a night serves."""
_SHOWN: Final = 12


def made_with(config: Path) -> dict[str, str]:
    """Fingerprints of the code and of the rules under `config`, and the versions of what computes.

    Plans of experiments are no rules: nights follow the frozen ones, which the warehouse holds.
    """
    rules = (path for path in config.rglob("*.toml") if path.relative_to(config).parts[0] != "experiments")
    sources = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {
        "code": _fingerprint(sources, ROOT),
        "rules": _fingerprint(rules, config),
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{library: version(library) for library in LIBRARIES},
    }


def _fingerprint(files: Iterable[Path], below: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(below).as_posix()}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:_SHOWN]
