"""Who was erased, remembered by a keyed hash alone: enough to keep them from coming back, too little to say who they were.

`erased.jsonl` in the home folder holds a line for each hash (HMAC-SHA256, RFC 2104); the key is a setting, VIGIE_ERASURE_KEY, and lies
nowhere near. Whoever has the file and not the key cannot try identifiers on it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Final, Literal, Protocol

import polars as pl

from vigie.errors import ConfigurationError
from vigie.files import write_whole_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

Kind = Literal["learner", "enrolment", "names"]
"""names: of a learner whose names alone are gone, by age."""
SHORTEST_KEY: Final = 32
_CHECK: Final = "check"
_REMEDY: Final = "Set VIGIE_ERASURE_KEY to a secret of 32 characters or more, kept apart from the home folder, the same for ever."


class Whom(Protocol):
    """People to take out."""

    def holds(self, kind: Kind, ids: pl.Series) -> pl.Series:
        """For each identifier, whether it is one of theirs; false where it is null."""


class Supposed:
    """People who would be taken out, by their identifiers: for a dry run."""

    def __init__(self, ids: Mapping[Kind, Collection[str]]) -> None:
        self._ids = {kind: {one.strip() for one in those} for kind, those in ids.items()}

    def holds(self, kind: Kind, ids: pl.Series) -> pl.Series:
        """For each identifier, whether it is one of theirs; false where it is null."""
        return ids.cast(pl.String).str.strip_chars().is_in(list(self._ids.get(kind, ()))).fill_null(value=False)


class Erasures:
    """The hashes, and the key to ask them with."""

    def __init__(self, path: Path, key: str = "") -> None:
        """Read what is remembered.

        Args:
            path: `erased.jsonl`; a missing one remembers nobody.
            key: of the hashes.

        Raises:
            ConfigurationError: somebody was erased, and the key is missing or another: nobody would be known again.
        """
        self._path, self._key = path, key.encode()
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._lines = [json.loads(line) for line in lines]
        if self._lines and not key:
            raise ConfigurationError("People were erased from this service, and VIGIE_ERASURE_KEY is not set.", _REMEDY)
        if self._lines and not hmac.compare_digest(self._lines[0]["hash"], self._hash(_CHECK, "")):
            what = "VIGIE_ERASURE_KEY is not the key with which people were erased from this service."
            raise ConfigurationError(what, "Set the one of then: with another, those who were erased would come back.")
        self._known = {(line["kind"], line["hash"]) for line in self._lines}

    def __bool__(self) -> bool:
        """Whether anybody is remembered."""
        return bool(self._lines)

    def __len__(self) -> int:
        """How many people were erased whole."""
        return sum(line["kind"] == "learner" for line in self._lines)

    @property
    def courses(self) -> int:
        """How many enrolments were erased."""
        return sum(line["kind"] == "enrolment" for line in self._lines)

    def since(self, day: dt.date) -> int:
        """How many people were erased whole after `day`."""
        return sum(line["kind"] == "learner" and line["on"] > day.isoformat() for line in self._lines)

    def holds(self, kind: Kind, ids: pl.Series) -> pl.Series:
        """For each identifier, whether it is one of those erased; false where it is null."""
        if not self._lines or ids.is_empty():
            return pl.repeat(value=False, n=ids.len(), eager=True, dtype=pl.Boolean).alias(ids.name)
        asked = ids.cast(pl.String).str.strip_chars()
        found = [one for one in asked.unique().drop_nulls() if (kind, self._hash(kind, one)) in self._known]
        return asked.is_in(pl.Series(found, dtype=pl.String).implode()).fill_null(value=False)

    def remember(self, whom: Mapping[Kind, Iterable[str]], on: dt.date, why: str) -> int:
        """Note identifiers as erased, all or none, on the disk before this returns; how many were not yet.

        Raises:
            ConfigurationError: there is no key, or one too short.
        """
        self.require_key()
        # Asked about without the blanks around them, see `holds`.
        hashes = dict.fromkeys((kind, self._hash(kind, one.strip())) for kind, ids in whom.items() for one in ids)
        new = [{"kind": kind, "hash": one, "on": on.isoformat(), "why": why} for kind, one in hashes if (kind, one) not in self._known]
        first = [] if self._lines else [{"kind": _CHECK, "hash": self._hash(_CHECK, "")}]
        self._keep([*self._lines, *(first if new else []), *new])
        return len(new)

    def require_key(self) -> None:
        """Make sure that people can be remembered.

        Raises:
            ConfigurationError: there is no key, or one too short.
        """
        if len(self._key) < SHORTEST_KEY:
            raise ConfigurationError("Erasing needs a key of 32 characters or more.", _REMEDY)

    def take_over(self, other: Path) -> None:
        """Remember also whom another file of the same key does: a backup is older than the erasures made since.

        Raises:
            ConfigurationError: it is of another key.
        """
        theirs = Erasures(other, self._key.decode())
        self._keep([*self._lines, *(line for line in theirs._lines if (line["kind"], line["hash"]) not in self._known)])

    def forget(self, learner_id: str) -> bool:
        """Take a learner again who was erased, since they enrol anew; whether they were. What was erased with them stays out."""
        theirs = {(kind, self._hash(kind, learner_id.strip())) for kind in ("learner", "names")}
        left = [line for line in self._lines if (line["kind"], line["hash"]) not in theirs]
        found = len(left) < len(self._lines)
        self._keep(left)
        return found

    def enrol_anew(self, courses: pl.DataFrame) -> int:
        """Names that went by age are no longer kept out of whom enrols after that day; how many people.

        Args:
            courses: learner_id, on (date of an enrolment, null where none is told).
        """
        gone = {line["hash"]: line["on"] for line in self._lines if line["kind"] == "names"}
        if not gone:
            return 0
        since = courses.filter(pl.col("on") > dt.date.fromisoformat(min(gone.values())))
        newest = since.group_by(pl.col("learner_id").cast(pl.String).str.strip_chars()).agg(pl.col("on").max()).drop_nulls()
        hashes = {self._hash("names", one): on for one, on in newest.rows()}
        back = {one for one, on in hashes.items() if one in gone and on.isoformat() > gone[one]}
        self._keep([line for line in self._lines if line["kind"] != "names" or line["hash"] not in back])
        return len(back)

    def _keep(self, lines: list[dict[str, str]]) -> None:
        if lines == self._lines:
            return
        write_whole_text(self._path, "".join(f"{json.dumps(line)}\n" for line in lines))
        self._lines = lines
        self._known = {(line["kind"], line["hash"]) for line in lines}

    def _hash(self, kind: str, identifier: str) -> str:
        return hmac.new(self._key, f"{kind}:{identifier}".encode(), hashlib.sha256).hexdigest()
