"""How likely, in words: counts among a hundred people in the same situation, never a verdict. French, or the language in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alerts.language import number, say, say_many

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

HARDLY: Final = "Sur 100 situations semblables, moins d'une se termine par un abandon dans les 4 semaines."
LIKELIHOOD: Final = (
    "Sur 100 situations semblables, environ {n} se termine par un abandon dans les 4 semaines.",
    "Sur 100 situations semblables, environ {n} se terminent par un abandon dans les 4 semaines.",
)
HARDLY_TO_END: Final = "Sur 100 situations semblables, moins d'une se termine par un abandon d'ici la fin prévue."
LIKELIHOOD_TO_END: Final = (
    "Sur 100 situations semblables, environ {n} se termine par un abandon d'ici la fin prévue.",
    "Sur 100 situations semblables, environ {n} se terminent par un abandon d'ici la fin prévue.",
)
"""The same of a course that is to end within the horizon."""
HORIZON_DAYS: Final = 28
WIDEST: Final = 0.5
"""Between the ends of a range that still tells something; wider ones are not told."""
RANGE: Final = "Selon les groupes et les moments de l'année, le plus souvent entre {low} et {high}."
COUNTED: Final = (
    (
        "Sur {rows} situations passées de ce niveau, {n} s'est terminée par un abandon dans les 4 semaines, soit {share} sur 100 ; "
        "l'estimation en annonçait {expected} sur 100."
    ),
    (
        "Sur {rows} situations passées de ce niveau, {n} se sont terminées par un abandon dans les 4 semaines, soit {share} sur 100 ; "
        "l'estimation en annonçait {expected} sur 100."
    ),
)
SOONER_LATER: Final = "Dans les 2 semaines : environ {sooner} sur 100 ; dans les 8 semaines : environ {later}."
POSITIVE_EXIT: Final = "Vers un emploi ou une autre formation : environ {n}."
MORE_POSITIVE: Final = "Un départ vers un emploi ou une autre formation est ici plus probable qu'un abandon."


def likelihood(risk: float | None, left: dt.timedelta | None = None) -> str:
    """The risk as a count among a hundred, never as a verdict; rounded, since it is not known better.

    Args:
        risk: of dropout within the horizon; None without an estimate.
        left: until the planned end, where it is known: a course that ends sooner is given up before its end, or not at all.
    """
    if risk is None:
        return say("Pas d'estimation.")
    to_end = left is not None and left.days < HORIZON_DAYS
    if not (n := round(risk * 100)):
        return say(HARDLY_TO_END if to_end else HARDLY)
    return say_many(*(LIKELIHOOD_TO_END if to_end else LIKELIHOOD), n).format(n=n)


def spread(alike: Mapping[str, Any] | None) -> str:
    """Between which numbers the likelihood differs from one session and time of year to another; empty where not known, or too wide.

    Args:
        alike: as in the scores, contract `ALIKE`.
    """
    if not alike or alike["high"] - alike["low"] > WIDEST:
        return ""
    return say(RANGE).format(**{end: number(_in_hundred(alike[end])) for end in ("low", "high")})


def counted(alike: Mapping[str, Any] | None) -> str:
    """What became of people whose risk was alike, in a hundred as the likelihood is; empty where not known.

    Args:
        alike: as in the scores, contract `ALIKE`.
    """
    if not alike:
        return ""
    n, rows = int(alike["dropouts"]), int(alike["situations"])
    shares = {"share": n / rows, "expected": alike["expected"] / rows}
    said = {name: number(_in_hundred(share)) for name, share in shares.items()}
    return say_many(*COUNTED, n).format(rows=number(rows), n=number(n), **said)


def sooner_later(sooner: float | None, later: float | None) -> str:
    """The likelihood within 2 and within 8 weeks; empty where the model was not taught both."""
    if sooner is None or later is None:
        return ""
    return say(SOONER_LATER).format(**{name: number(_in_hundred(risk)) for name, risk in (("sooner", sooner), ("later", later))})


def positive_exit(probability: float | None, risk: float | None) -> tuple[str, str]:
    """Of the same hundred, how many leave for a job or another course; and a word where that is likelier than a dropout.

    Args:
        probability: of such an exit within the horizon; None where the model was not taught it.
        risk: of dropout within the same horizon; None without an estimate.
    """
    found = round((probability or 0) * 100)
    likelier = probability is not None and risk is not None and probability > risk
    return say(POSITIVE_EXIT).format(n=found) if found else "", say(MORE_POSITIVE) if likelier else ""


def _in_hundred(share: float) -> float:
    """Whole above one in a hundred; below, a tenth still tells something from nothing."""
    return round(share * 100) if share >= 0.01 else round(share * 100, 1)  # noqa: PLR2004 - one in a hundred
