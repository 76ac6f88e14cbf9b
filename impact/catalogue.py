"""What each indicator is, in words that stand beside every figure: never one bare rate. The words are in `catalogue.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal

HORIZONS: Final = (3, 6, 12)
"""Months after the exit at which insertion is looked at."""
FAMILIES: Final = {"cover": "Couverture", "process": "Suivi", "course": "Parcours", "after": "Après la formation"}
NOT_MEASURED: Final = {
    "Certification obtenue": "aucune livraison ne dit qui est certifié",
    "Mise en relation avec un employeur": "aucune livraison ne la dit (référence : 23 %, Dares 2021)",
    "Chômage du bassin d'emploi": "aucune livraison ne le donne : la valeur ajoutée n'en tient pas compte",
}
"""Asked for, and in no table of the contracts: said rather than made up."""


@dataclass(frozen=True)
class Definition:
    """One indicator. Texts are for the page, in French."""

    definition_id: str
    family: str
    title: str
    population: str
    numerator: str
    denominator: str
    horizon: str
    source: str
    how: Literal["share", "mean", "median", "rate"] = "share"
    """rate: events by week of training."""
    reference: str = ""
    """A figure to read it beside, with its source."""


def _read() -> dict[str, Definition]:
    written = tomllib.loads(files("impact").joinpath("catalogue.toml").read_text("utf-8"))
    made = []
    for name, texts in written.items():
        for months in HORIZONS if "{months}" in name else (0,):
            filled = {key: text.replace("{months}", str(months)) for key, text in texts.items()}
            made.append(Definition(name.replace("{months}", str(months)), **filled))
    return {one.definition_id: one for one in made}


DEFINITIONS: Final = _read()
