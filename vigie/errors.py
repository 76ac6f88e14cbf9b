"""Errors a person can act upon: what happened, where, and what to do."""

from __future__ import annotations


class VigieError(Exception):
    """A failure with its remedy; the command line prints both and no traceback."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n{remedy}")
        self.what = what
        self.remedy = remedy


class RefusedFileError(VigieError):
    """A delivery that cannot be read at all: it is refused whole and the night goes on."""


class AlreadyRunningError(VigieError):
    """Another process holds the warehouse: one writer at a time."""


class ConfigurationError(VigieError):
    """A rule file or a setting that cannot stand, such as a territory changing an invariant."""


class NoModelError(VigieError):
    """No model may serve this night: none is trained, or the one asked for saw later facts."""


class NoDataError(VigieError):
    """The warehouse holds too little for what is asked."""


class DamagedWarehouseError(VigieError):
    """The warehouse file cannot be read, or holds something else than what was written: it is rebuilt from the archive."""


class DamagedArchiveError(VigieError):
    """A delivery kept in the archive is missing or is not what was kept: only a backup brings it back."""


class StorageError(VigieError):
    """The disk is full or may not be written to, or what the service wrote there is damaged."""


class ReplayRefusedError(VigieError):
    """A past night cannot be made again as it was: its model, its code or its rules are not those of today."""
