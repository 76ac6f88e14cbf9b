"""From values to sentences an advisor can use: facts first, no word on the person. French, or the language in use."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from alerts.language import current, day, is_many, number, percent, say, say_many
from alerts.likelihood import likelihood

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

KINDS: Final = {
    "dropout_risk": "Situation à reprendre",
    "no_owner": "Sans conseiller référent",
    "entry_contact_due": "Contact d'entrée à faire",
    "mid_course_contact_due": "Point à mi-parcours à faire",
    "job_search_due": "Recherche d'emploi à préparer",
    "post_exit_contact_due": "Contact après la formation à faire",
    "positive_exit_check": "Sortie positive à vérifier",
    "learner_request": "Demande de la personne",
}
PROMISES: Final = {
    "no_owner": "Aucun conseiller référent en poste n'est connu.",
    "entry_contact_due": "Aucun échange connu depuis l'inscription.",
    "mid_course_contact_due": "Aucun échange connu autour de la mi-parcours.",
    "job_search_due": "La fin approche ; aucun échange consacré à la recherche d'emploi n'est connu depuis la mi-parcours.",
    "post_exit_contact_due": "Aucun échange connu depuis la fin de la formation.",
    "positive_exit_check": "Un emploi ou une autre formation est annoncé, pas encore confirmé.",
    "learner_request": "La personne a cherché à joindre le service ; aucun échange connu depuis.",
}
NOTICES: Final = {
    "simulation": "Données simulées : ces personnes n'existent pas.",
    "simulated-advisors": "Conseillers simulés ; apprenants réels, dont les noms ne sont pas publiés.",
}
"""What a list must say when operators deliver made-up data: their names start with these words."""
NOT_ESTIMATED: Final = "Cette nuit sans estimation : la liste vient de la règle d'assiduité et des engagements du service."
"""What a list must say when no model could serve."""
SUBJECTS: Final = {
    "attendance": "présence",
    "punctuality": "ponctualité",
    "trend": "évolution récente ou écart à la session",
    "activity": "activité à distance",
    "assessments": "travaux rendus",
    "contacts": "échanges avec le service",
}


NEWS: Final = 0.2
"""Part of the former value by which what is counted must move to be news, for better or worse."""
LEAST_SHARE: Final = 0.03
"""A share, or a gap in points, that moved by less stands where it was: 53 % is no news beside 52 %."""
IN_HUNDRED: Final = ("share", "points")
WEEK: Final = 7
"""Days between a fact and the one it is compared with."""
UNITS: Final = {
    "half_days": ("demi-journée", "demi-journées"),
    "days": ("jour", "jours"),
    "points": ("point", "points"),
    "works": ("travail demandé", "travaux demandés"),
    "actions": ("action", "actions"),
}
NONE: Final = {
    "half_days": "aucune demi-journée",
    "days": "aucun jour",
    "works": "aucun travail demandé",
    "actions": "aucune action",
}
NONE_OF_THESE: Final = {"half_days": "aucune", "works": "aucun", "actions": "aucune"}
"""The same where the thing counted has just been named, which is then not named again beside its number either."""
SINCE: Final = "il y a {value}"
SAME_DAY: Final = {SINCE: "le jour même", "{value} ago": "the same day"}
"""Nobody says that something happened no day ago; nor today, since a list is read the day after."""
NO_FACT: Final = "Aucun fait isolé : la situation d'ensemble."
"""What a list says of a risk that no single fact explains."""
STILL: Final = ("Ce chiffre a peu bougé en une semaine.", "Ces chiffres ont peu bougé en une semaine.")
"""What is said where the numbers that are told hardly moved; others may have."""
STOOD: Final = ("Ce chiffre n'a pas bougé en une semaine.", "Ces chiffres n'ont pas bougé en une semaine.")
"""The same where they are those of a week before."""
FEW_HALF_DAYS: Final = 2
"""Counts of half-days that moved by less, one day, stand where they were."""
WAS: Final = "{fact}, contre {was} une semaine plus tôt."
BETTER: Final = "{fact} : c'est mieux qu'une semaine plus tôt ({was})."
WAS_ALONE: Final = "Une semaine plus tôt : {was}."
BETTER_ALONE: Final = "C'est mieux qu'une semaine plus tôt : {was}."
"""What a figure was; alone where it is the only one told, which then stands beside it and is not said again."""
NEW_FACT: Final = "{fact} ; ce n'était pas le cas une semaine plus tôt."
NO_FACT_YET: Final = "Peu de faits connus encore : l'estimation repose sur peu de chose."
"""The same of whoever has just entered."""
CAUTION: Final = "À prendre avec prudence : des feuilles de présence ou des traces manquent, ou il n'y a plus aucun signe depuis longtemps."
CAUTION_NEW: Final = "À prendre avec prudence : la personne vient d'entrer en formation."
NEW_DAYS: Final = 14
"""Days since entry until which an estimate rests on little, as the scores count them."""
MAY_BE_GONE: Final = "Pas d'estimation utile : d'après les derniers signes connus, cette personne est peut-être déjà partie."
"""Said in the place of the likelihood: training holds no row of people after their exit, so the number would not be theirs."""
STILL_THERE: Final = "check_still_there"
"""Code of the action for somebody gone so long that they may have left."""
ENTRY_CALL: Final = "entry_call"
MID_COURSE_CALL: Final = "mid_course_call"
FIRST_TALKS: Final = ("first_talk", "first_talk_about_absences")
INTRODUCTIONS: Final = (ENTRY_CALL, *FIRST_TALKS)
"""Codes of the actions that come before any talk about absences: the service introduces itself."""
FIND_OWNER: Final = "find_owner"
BOTH_TALKS: Final = "mid_course_and_job_search"
IN_ONE_TALK: Final = (MID_COURSE_CALL, "prepare_job_search")
"""Codes of the actions that one call does together; then `BOTH_TALKS` is asked for."""
WINDOW: Final = re.compile(r"sur les (?P<fr>\d+) derniers jours|in the last (?P<en>\d+) days")
LONGEST_WINDOW: Final = 30
"""Days that the longest window of a sentence looks back."""
HIGH_RISK: Final = 0.2
"""From so high a risk on, what it asks for is told before what the service promises."""
LAST_SIGNS: Final = ("days_since_presence", "days_since_activity")
"""Facts that tell since when somebody shows no sign."""
ABSENT_NOW: Final = frozenset({"absence_begun_half_days", "absence_streak_half_days", "unjustified_streak_half_days"})
"""Facts that tell of an absence that goes on: beside one, no figure of attendance is called better."""
OFF_THE_SHEETS: Final = "days_off_sheets"
"""What tells that the provider may no longer count on somebody."""


@dataclass(frozen=True)
class Phrase:
    """How a feature is told: a sentence with `{value}`, `{s}` and `[words of a reason]` in French and in English, and the value's unit."""

    fr: str
    unit: str
    en: str = ""
    fr_better: str = ""
    """Told of who is on the better side, where `fr` says how somebody is worse."""
    en_better: str = ""
    signed: bool = False
    """A gap to one side of what the sentence compares with: told without its sign."""
    moves: bool = True
    """False where the sentence tells of a change itself, or of the newest piece of work: the week before it told of something else."""
    direction: int = 0
    """1 when more is worse, -1 when less is."""


@dataclass(frozen=True)
class Told:
    """What is said of one person's alerts, on paper and on the page."""

    tags: list[str]
    """What the alerts are, and what of it is new."""
    why: list[str]
    changed: list[str]
    likelihood: str
    caution: str
    """Why the estimate weighs little; empty where it weighs what it says, or where none is told."""
    estimated: bool
    """Whether the likelihood is one: neither without a score, nor of who may have left."""
    actions: list[str]
    since: str
    until: str


def told(alerts: Sequence[Mapping[str, Any]], phrases: Mapping[str, Phrase], actions: Mapping[str, str]) -> Told:
    """One person's alerts in words; only facts that raise the risk are told as reasons.

    Args:
        alerts: contract `Alerts` with low_confidence and planned_exit_date, best first.
        phrases: sentence of each feature.
        actions: sentence of each action code.
    """
    due = min(alert["due_on"] for alert in alerts)
    # Reasons and estimate are those of the risk, wherever it ranks: a promise may come first, be of another course, or know of no reason.
    leading = next((alert for alert in alerts if alert["kind"] == "dropout_risk"), alerts[0])
    weak = bool(leading["low_confidence"])
    gone = may_be_gone(leading["reasons"], weak=weak)
    phrases = within_stay(phrases, leading)
    promises = [say(PROMISES[alert["kind"]]) for alert in alerts if alert["kind"] in PROMISES]
    return Told(
        tags=_tags(alerts),
        why=_once([*promises, *(why(reason, phrases) for reason in grounds(leading["reasons"], phrases))]) or [no_fact(weak=weak)],
        # Of who may have left, the weeks before are no news.
        changed=[] if gone else changed(leading["reasons"], phrases, new=leading["state"] == "new"),
        likelihood=say(MAY_BE_GONE) if gone else likelihood(leading["risk"], _left(leading)),
        caution=caution(leading) if weak and not gone else "",
        estimated=not gone and leading["risk"] is not None,
        actions=[say(actions.get(code, code)) for code in _to_do(alerts, together=BOTH_TALKS in actions)],
        since=day(min(alert["opened_on"] for alert in alerts)),
        until=day(due) + (say(" (délai dépassé)") if due <= leading["as_of"] else ""),
    )


def _tags(alerts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each kind once; that it is new is told of the person where all is, else of the kind: who stands on the list for days is not new."""
    known = {alert["kind"] for alert in alerts if alert["state"] != "new"}
    kinds = {kind: say(KINDS[kind]) for kind in _once(alert["kind"] for alert in alerts)}
    if not known:
        return [*kinds.values(), say("Nouveau")]
    return [name if kind in known else say("{kind} (nouveau)").format(kind=name) for kind, name in kinds.items()]


def _left(alert: Mapping[str, Any]) -> dt.timedelta | None:
    end = alert.get("planned_exit_date")
    return end - alert["as_of"] if end else None


def _to_do(alerts: Sequence[Mapping[str, Any]], *, together: bool) -> list[str]:
    """Codes of what the alerts ask for, each once, in the order in which it is done; what one call does is one, worded `together`."""
    codes = _once(alert["suggested_action"] for alert in sorted(alerts, key=_first_to_do))
    if STILL_THERE in codes:
        # What is to be talked of comes once it is known that they are.
        codes = [code for code in codes if code not in {*INTRODUCTIONS, *IN_ONE_TALK}]
    if talks := [code for code in codes if code in FIRST_TALKS]:
        codes = [code for code in codes if code not in {ENTRY_CALL, MID_COURSE_CALL, *talks[1:]}]
    if FIND_OWNER in codes and set(INTRODUCTIONS) & set(codes):
        # Whoever is to look after somebody is named before anybody introduces themselves.
        codes = _once([FIND_OWNER, *codes])
    if together and set(IN_ONE_TALK) <= set(codes):
        codes = _once(BOTH_TALKS if code in IN_ONE_TALK else code for code in codes)
    return codes


def _first_to_do(alert: Mapping[str, Any]) -> int:
    """What comes first sorts first: is somebody still there, a first talk, what a high risk asks for, then the rest in order."""
    if alert["suggested_action"] == STILL_THERE:
        return 0
    if alert["suggested_action"] in INTRODUCTIONS:
        return 1
    return 2 if alert["kind"] == "dropout_risk" and (alert["risk"] or 0) >= HIGH_RISK else 3


def changed(reasons: Iterable[Mapping[str, Any]], phrases: Mapping[str, Phrase], *, new: bool = False) -> list[str]:
    """What has changed of the facts told, and what got better beside them, such as that somebody has come back.

    Where every figure that is told stood still, that is said; nothing where one was not compared, or where a fact tells of a change itself,
    nor of who is `new` on the list: something brought them there.
    """
    reasons = list(reasons)
    facts = raising(reasons)
    absent = any(reason["feature"] in ABSENT_NOW for reason in reasons)
    eased = _beside(reasons, phrases, worse=False)
    said = [reason for reason in eased if reason["previous_value"] is None]
    returns = {reason["code"] for reason in said}
    # Two weeks far apart say how attendance went better than a count over more days does; better weeks less than a return.
    apart = [reason for reason in eased if reason["previous_value"] is not None]
    apart = [reason for reason in apart if reason["code"] not in returns or reason["value"] < reason["previous_value"]]
    weeks = {reason["code"]: text for reason in apart if (text := change(reason, phrases, absent=absent))}
    others = [*(why(reason, phrases) for reason in said), *weeks.values()]
    # Of the only fact that is told, what it is stands beside.
    alone = len(grounds(reasons, phrases)) == 1 and not others
    moved = [text for reason in facts if reason["code"] not in weeks and (text := change(reason, phrases, alone=alone, absent=absent))]
    if news := [*moved, *others]:
        return news
    # What stands beside the reasons, such as absences with a reason, is told without what it was.
    if new or _beside(reasons, phrases, worse=True):
        return []
    compared = [(phrases[reason["feature"]], reason["value"], reason["previous_value"]) for reason in facts if reason["feature"] in phrases]
    figures = [(now, before, phrase) for phrase, now, before in compared if "{value}" in phrase.fr]
    stood = all(before is not None and now - before != WEEK and not _moved(now, before, phrase) for now, before, phrase in figures)
    if not (figures and stood and all(phrase.moves for phrase, _, _ in compared)):
        return []
    same = all(amount(now, phrase.unit) == amount(before, phrase.unit) for now, before, phrase in figures)
    return [say_many(*(STOOD if same else STILL), len(figures))]


def _once(texts: Iterable[str]) -> list[str]:
    """Each text the first time it comes: two courses of one person may owe the same."""
    return list(dict.fromkeys(texts))


def grounds(reasons: Sequence[Mapping[str, Any]], phrases: Mapping[str, Phrase]) -> list[Mapping[str, Any]]:
    """What is told as why: what is told alone, then the reasons that raise the risk, each before what stands beside it."""
    others, found = _beside(reasons, phrases, worse=True), raising(reasons)
    alone = [other for other in others if other["feature"] == OFF_THE_SHEETS]
    beside = [other for other in others if other not in alone]
    return [*alone, *(told for reason in found for told in (reason, *(other for other in beside if other["code"] == reason["code"])))]


def _beside(reasons: Iterable[Mapping[str, Any]], phrases: Mapping[str, Phrase], *, worse: bool) -> list[Mapping[str, Any]]:
    """What explains no risk and the reasons would be unfair without: that more of which is worse stands with them, the rest is news."""
    found = [reason for reason in reasons if reason["code"] != "rest" and not reason["contribution"] and reason["feature"] in phrases]
    return [reason for reason in found if (phrases[reason["feature"]].direction > 0) == worse]


def raising(reasons: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The reasons that raise the risk, in their order, without the unnamed rest."""
    return [reason for reason in reasons if reason["code"] != "rest" and reason["contribution"] > 0]


def lowering(reasons: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The facts that lower the risk, strongest first: shown apart on the case page, never among the reasons of a list."""
    return sorted((reason for reason in reasons if reason["contribution"] < 0), key=lambda reason: float(reason["contribution"]))


def who(person: Mapping[str, Any]) -> str:
    """The name, or the identifier of somebody whose name no delivery brought."""
    name = " ".join(part for part in (person["given_name"], person["family_name"]) if part)
    return name or say("Personne {id}").format(id=person["learner_id"])


def why(reason: Mapping[str, Any], phrases: Mapping[str, Phrase]) -> str:
    """One reason as a sentence; a feature without a sentence is told by its subject."""
    phrase = phrases.get(reason["feature"] or "")
    if phrase is None or reason["value"] is None:
        return say("Signal sur : {subject}.").format(subject=say(SUBJECTS.get(reason["code"], reason["code"])))
    return _capital(_fact(re.sub(r"[\[\]]", "", _spoken(phrase.fr, phrase.en)), reason["value"], phrase)) + "."


def may_be_gone(reasons: Sequence[Mapping[str, Any]], *, weak: bool) -> bool:
    """Whether a name is off the sheets, or the leading reason is a last sign, of whom little is known (`weak`): no number is told then."""
    facts = raising(reasons)
    off = any(reason["feature"] == OFF_THE_SHEETS for reason in reasons)
    return weak and (off or (bool(facts) and facts[0]["feature"] in LAST_SIGNS))


def caution(alert: Mapping[str, Any]) -> str:
    """Why an estimate that weighs little does: somebody has just entered, or what is known of them stopped coming.

    Args:
        alert: with as_of and, where it is known, entry_date.
    """
    entered = alert.get("entry_date")
    return say(CAUTION_NEW if entered and (alert["as_of"] - entered).days < NEW_DAYS else CAUTION)


def within_stay(phrases: Mapping[str, Phrase], alert: Mapping[str, Any]) -> Mapping[str, Phrase]:
    """The sentences of somebody who entered after a window began: it tells of all their days, and says so.

    Args:
        phrases: sentence of each feature.
        alert: with as_of, reasons and, where it is known, entry_date.
    """
    entered = alert.get("entry_date")
    stay = (alert["as_of"] - entered).days + 1 if entered else LONGEST_WINDOW
    if stay >= LONGEST_WINDOW:
        return phrases

    def short(text: str, since: str) -> str:
        return WINDOW.sub(lambda found: since if int(found["fr"] or found["en"]) > stay else found[0], text)

    told = {reason["feature"] for reason in alert["reasons"]} & phrases.keys()
    shortened = {
        name: replace(phrases[name], fr=short(phrases[name].fr, "depuis l'entrée"), en=short(phrases[name].en, "since entry"))
        for name in told
    }
    return {**phrases, **shortened}


def no_fact(*, weak: bool) -> str:
    """What is said where no reason can be named; `weak`: too little is known for the estimate to weigh much."""
    return say(NO_FACT_YET if weak else NO_FACT)


def change(reason: Mapping[str, Any], phrases: Mapping[str, Phrase], *, alone: bool = False, absent: bool = False) -> str | None:
    """The reason's fact against the same fact a week before, or nothing where it reads the same; without a number, that it came up.

    Days that only went by are no news: thirty since the last work, where there were twenty-three a week before. Nor is a count that moved a
    little, for better or worse: sixty half-days missed, where there were sixty-two; nor a share or a gap that hardly moved. Where it is the
    only figure that is told (`alone`), what it was is enough. Attendance is not called better while an absence goes on (`absent`).
    """
    phrase = phrases.get(reason["feature"] or "")
    now, before = reason["value"], reason["previous_value"]
    if phrase is None or now is None or before is None or not phrase.moves:
        return None
    other_side = phrase.signed and (not _shown(before, phrase) or before * now < 0)
    if "{value}" not in phrase.fr or other_side:
        came_up = other_side or (phrase.unit == "flag" and now > before)
        return say(NEW_FACT).format(fact=_capital(_fact(_neutral(phrase), now, phrase))) if came_up else None
    told = {"fact": _capital(_fact(_neutral(phrase), now, phrase)), "was": _former(before, phrase.unit)}
    if phrase.unit == "days" and not _whole(before) and SINCE in phrase.fr:
        told["was"] = say(SAME_DAY[SINCE])
    if amount(before, phrase.unit) == amount(now, phrase.unit) or not _moved(now, before, phrase):
        return None
    if (before - now) * phrase.direction > 0 and not (absent and reason["code"] == "attendance"):
        return say(BETTER_ALONE if alone else BETTER).format(**told)
    return say(WAS_ALONE if alone else WAS).format(**told)


def _moved(now: float, before: float, phrase: Phrase) -> bool:
    """Whether a figure moved enough to be news; days that only went by are none."""
    if now == before or (phrase.unit == "days" and now - before == WEEK):
        return False
    if phrase.unit in IN_HUNDRED:
        return abs(now - before) >= LEAST_SHARE
    least = FEW_HALF_DAYS if phrase.unit == "half_days" else 0.0
    return abs(now - before) >= max(NEWS * abs(before), least)


def _shown(value: float, phrase: Phrase) -> float:
    """A gap as it is told, 0 where it is none."""
    return round(value * 100) if phrase.unit == "points" else _whole(abs(value)) if phrase.unit == "days" else value


def better(reason: Mapping[str, Any], phrases: Mapping[str, Phrase]) -> str:
    """A protective fact as a sentence, or its subject alone where no sentence is true of the better side."""
    phrase, value = phrases.get(reason["feature"] or ""), reason["value"]
    if phrase is None or value is None or not (phrase.fr_better or "{value}" in phrase.fr):
        return _capital(say(SUBJECTS.get(reason["code"], reason["code"]))) + "."
    return _capital(_fact(_spoken(phrase.fr_better, phrase.en_better) or _neutral(phrase), value, phrase)) + "."


def _spoken(fr: str, en: str) -> str:
    return en if current() == "en" and en else fr


def _neutral(phrase: Phrase) -> str:
    """The sentence without the words that call the fact bad."""
    return re.sub(r"\[.*?\]", "", _spoken(phrase.fr, phrase.en))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _fact(said: str, value: float, phrase: Phrase) -> str:
    value = abs(value) if phrase.signed else value
    if phrase.unit == "days" and not _whole(value):
        for ago, same_day in SAME_DAY.items():
            said = said.replace(ago, same_day)
    return said.replace("{value}", amount(value, phrase.unit)).replace("{s}", "s" if is_many(value) else "")


def _whole(days: float) -> int:
    """Days as they are told: a half is one, as where it is decided whether a difference is told at all."""
    return math.floor(days + 0.5)


def amount(value: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "share":
        return percent(value)
    if unit == "times":
        return number(math.floor(math.exp(value) + 1e-9))
    if unit == "minutes":
        return f"{number(round(value))} min"
    if unit == "points":
        value = abs(round(value * 100))
    if unit == "days":
        value = _whole(value)
    if unit in NONE and not round(value, 1):
        return say(NONE[unit])
    forms = UNITS.get(unit)
    return f"{number(value)} {say_many(*forms, value)}" if forms else number(value)


def _former(value: float, unit: str) -> str:
    """A value beside the present one of the same fact: what is counted is not named twice."""
    if unit not in NONE_OF_THESE:
        return amount(value, unit)
    return number(value) if round(value, 1) else say(NONE_OF_THESE[unit])
