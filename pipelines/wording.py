"""Sentences for lists: each feature's own, handed to `alerts`, which never imports features."""

from __future__ import annotations

from alerts.wording import Phrase
from features.catalogue import FEATURES


def phrases() -> dict[str, Phrase]:
    """For each feature, the sentence, unit and direction its declaration gives."""
    worse = {1: True, -1: False, 0: None}
    return {name: Phrase(feature.fr, feature.unit, worse[feature.monotone]) for name, feature in FEATURES.items()}
