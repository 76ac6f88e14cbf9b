"""Promotion is a decision: taken by the gate, or by somebody who gives a reason, and written down for ever.

`models/decisions.jsonl` in the home folder is only ever appended to; MLflow has the same in the tags of each version.
"""

from __future__ import annotations

import json
import os
import pwd
from typing import TYPE_CHECKING, Any

from models.language import spoken
from models.registry import DECISIONS_FILE, champion, crown, known, load, not_computed, uncrown
from vigie.errors import ConfigurationError, NoModelError
from vigie.files import write_whole

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from models.gate import Check, Verdict
    from vigie.settings import Home

LEAST_WORDS = 3
"""A reason that overrules the gate is a sentence."""
HELD = "After a rollback a version comes into service by somebody's decision alone."
"""What the log says of a version that a green gate would have let through."""
HELD_AS = (HELD, "Après un retour en arrière, une version n'est mise en service que par quelqu'un.")
"""The same, and as older versions of Vigie wrote it."""


def promote(
    home: Home,
    version: str,
    verdict: Verdict,
    now: dt.datetime,
    reason: str = "",
    rests_on: Mapping[str, str | int] | None = None,
    *,
    by_itself: bool = False,
) -> bool:
    """Make a version champion when the gate is green, or for a written reason; the decision is kept, a refusal too.

    After a rollback a green gate is not enough for a training: somebody gave the service back, and somebody takes the next version.

    Args:
        home: where the models are.
        version: which.
        verdict: of the gate.
        now: instant of the decision.
        reason: of whoever overrules the gate.
        rests_on: evidence of the verdict, as from `models.comparison.keep`.
        by_itself: True where nobody asked for this version, as after a training.

    Returns:
        True when it is champion now.

    Raises:
        ConfigurationError: the gate refuses and the reason given is no sentence.
        NoModelError: there is no such version.
    """
    known(home, version)
    if not verdict.green:
        understood(reason)
    held = by_itself and not reason and verdict.green and _given_back(home)
    allowed = (verdict.green and not held) or bool(reason)
    entry = {
        # What the gate decides after a training, nobody did.
        "by": "" if by_itself and not reason else _account(),
        "action": "promoted" if allowed else "refused",
        "version": version,
        "replaces": champion(home),
        "gate": "green" if verdict.green else "refused",
        "checks": {check.name: _kept(check) for check in verdict.checks},
        "reason": HELD if held else reason,
    }
    _append(home, now, entry | ({"evidence": dict(rests_on)} if rests_on else {}))
    if allowed:
        crown(
            home, version, {"promotion": "gate green" if verdict.green else f"against the gate: {reason}", "promoted_at": now.isoformat()}
        )
    return allowed


def _kept(check: Check) -> dict[str, str | bool]:
    french = f"{spoken(check.name, 'fr')}\N{NO-BREAK SPACE}: {spoken(check.says, 'fr')}"
    return {"passed": check.passed, "says": check.says, "fr": french}


def understood(reason: str) -> None:
    """Refuse a reason that is no sentence; none at all is no reason.

    Raises:
        ConfigurationError: too few words.
    """
    if reason and len(reason.split()) < LEAST_WORDS:
        raise ConfigurationError("The reason is too short to be understood later.", "Write a sentence: it is kept for ever.")


def refused_before(home: Home, version: str) -> set[str]:
    """Names of the checks that ever refused a version."""
    asked = [entry["checks"] for entry in decisions(home) if entry["version"] == version and "checks" in entry]
    return {name for checks in asked for name, check in checks.items() if not check["passed"]}


def _given_back(home: Home) -> bool:
    """Whether the last change of champion was a rollback."""
    changes = [entry["action"] for entry in decisions(home) if entry["action"] in {"promoted", "rolled back"}]
    return bool(changes) and changes[-1] == "rolled back"


def rollback(home: Home, now: dt.datetime, reason: str = "") -> str:
    """Give the service back to the champion before the present one; again, to the one before that.

    Returns:
        The version that serves now.

    Raises:
        ConfigurationError: the reason given is no sentence.
        NoModelError: there was no earlier champion, its files are gone or altered, or it reads columns that are no longer computed: the
            present one goes on.
    """
    understood(reason)
    serving, stack = champion(home), _stack(home)
    # A promotion that died before its crown is in the log and never served: only what came before the one that serves counts.
    places = [place for place, version in enumerate(stack) if version == serving]
    earlier = [version for version in stack[: places[-1] if places else None] if version != serving]
    if not earlier:
        raise NoModelError("There is no earlier champion to go back to.", "See all versions with: vigie models list.")
    if gone := not_computed(load(home, earlier[-1])):
        what = f"{earlier[-1]} reads {', '.join(gone)}, which this version of Vigie does not compute."
        raise NoModelError(what, f"Install the version it was trained with, or train a new model; {serving} goes on.")
    _append(home, now, {"by": _account(), "action": "rolled back", "version": earlier[-1], "replaces": serving, "reason": reason})
    why = reason or "no reason given"
    crown(home, earlier[-1], {"promotion": f"rolled back from {serving}: {why}", "promoted_at": now.isoformat()})
    if serving:
        uncrown(home, serving, {"promotion": f"taken back for {earlier[-1]}: {why}", "taken_back_at": now.isoformat()})
    return earlier[-1]


def decisions(home: Home) -> list[dict[str, Any]]:
    """Every decision, oldest first.

    Raises:
        ConfigurationError: a line of the log cannot be read.
    """
    path = _file(home)
    lines = _whole_lines(path.read_bytes()) if path.exists() else []
    return [_read(path, number, line) for number, line in enumerate(lines, 1)]


def _whole_lines(log: bytes) -> list[bytes]:
    # The line comes before the crown: one that a power cut left half written is of a decision that never took effect.
    *lines, last = log.split(b"\n")
    return [*lines, last] if _is_json(last) else lines


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _read(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"Line {number} of {path} cannot be read: {error}.", "Bring the file back from a backup.") from error
    return entry


def _stack(home: Home) -> list[str]:
    """Champions in the order they came, those rolled back taken off."""
    stack: list[str] = []
    for entry in decisions(home):
        if entry["action"] == "promoted":
            stack.append(entry["version"])
        elif entry["action"] == "rolled back":
            places = [place for place, version in enumerate(stack) if version == entry["version"]]
            stack = stack[: places[-1] + 1] if places else [*stack, entry["version"]]
    return stack


def _append(home: Home, now: dt.datetime, entry: dict[str, Any]) -> None:
    line = json.dumps({"at": now.isoformat(), **entry}, ensure_ascii=False) + "\n"
    path = _file(home)
    before = path.read_bytes() if path.exists() else b""
    if before and not before.endswith(b"\n"):
        write_whole(path, lambda part: part.write_bytes(b"".join(whole + b"\n" for whole in _whole_lines(before))))
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _account() -> str:
    """The account of this machine that decides, whatever its environment says; empty where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def _file(home: Home) -> Path:
    return home.models / DECISIONS_FILE
