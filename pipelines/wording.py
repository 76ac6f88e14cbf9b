"""Sentences for lists: each feature's own, handed to `alerts`, which never imports features."""

from __future__ import annotations

from alerts.wording import Phrase
from features.catalogue import FEATURES


def phrases() -> dict[str, Phrase]:
    """For each feature, the sentence and unit its declaration gives."""
    return {
        name: Phrase(
            feature.fr,
            feature.unit,
            feature.en,
            feature.fr_better,
            feature.en_better,
            signed=feature.against is not None and feature.unit != "share",
            moves=feature.moves,
            direction=feature.direction,
        )
        for name, feature in FEATURES.items()
        if feature.fr
    }
