from __future__ import annotations

from contextvars import copy_context

import numpy as np
import polars as pl
import pytest

from alerts import language
from alerts.actions import BACK
from alerts.signs import NEVER_SEEN
from alerts.wording import LAST_SIGNS, OFF_THE_SHEETS, change, why
from features.catalogue import FAMILIES, FEATURES
from features.declaration import BANNED, NEVER, Family, Feature
from features.facts import ENROLMENT_COLUMNS, EXIT_COLUMNS, SESSION_COLUMNS
from features.matrix import QUALITY
from models.explanation import CONTEXT
from pipelines.wording import phrases
from vigie.errors import ConfigurationError


def test_no_feature_reads_a_banned_column() -> None:
    read = {column for family in FAMILIES for column in (*family.columns, family.key)}
    read |= {*ENROLMENT_COLUMNS, *SESSION_COLUMNS, *EXIT_COLUMNS}
    roots = {root for feature in FEATURES.values() for root in feature.expr.meta.root_names()}

    assert not (read | roots) & BANNED
    assert "learner_audit" not in {family.table for family in FAMILIES}


def test_names_are_unique_and_every_feature_says_what_it_is() -> None:
    declared = [feature for family in FAMILIES for feature in family.features]

    assert len(declared) == len(FEATURES)
    for feature in declared:
        assert all((feature.meaning, feature.null_means)), feature.name
        told = bool(feature.direction) and feature.group not in CONTEXT
        assert [bool(feature.fr), bool(feature.en)] == [told, told], feature.name
        assert feature.monotone == 0 or feature.worse == 0, f"{feature.name}: the model's direction is enough"


def test_a_fact_that_is_told_no_more_is_told_by_its_subject() -> None:
    """Nights of an older version name such facts; what a person asks for tells of them still."""
    for name, feature in FEATURES.items():
        if not feature.fr:
            reason = {"code": "activity", "feature": name, "value": 3.0, "contribution": 0.4, "previous_value": 1.0}
            assert why(reason, phrases()) == "Signal sur : activité à distance.", name
            assert change(reason, phrases()) is None, name


def test_a_feature_with_a_sentence_on_its_value_says_it() -> None:
    silent = {"flag", "score", "level", "rate"}
    for feature in FEATURES.values():
        # Not handed in, where most have: how many says nothing more.
        if feature.fr and feature.unit not in silent and feature.name != "next_work_against_session":
            assert "{value}" in feature.fr, feature.name


def test_a_protective_fact_has_a_sentence_that_is_true_of_it() -> None:
    for feature in FEATURES.values():
        assert bool(feature.fr_better) == bool(feature.en_better), feature.name
        if feature.direction and feature.learnt and feature.group not in CONTEXT:
            either = "{value}" in feature.fr and (feature.against is None or feature.unit == "share")
            assert either or feature.fr_better or feature.fair_better is NEVER, feature.name


def test_a_condition_reads_columns_of_the_matrix() -> None:
    for feature in FEATURES.values():
        for condition in (feature.fair, feature.fair_better):
            assert condition is None or set(condition.meta.root_names()) <= {*FEATURES, *QUALITY}, feature.name


def test_no_column_asks_for_a_middle_of_its_session() -> None:
    """Beside one, polars cuts rows otherwise each time, and the last bit of what is divided depends on where it stands in its cut."""
    for family in FAMILIES:
        steps = (*family.prepare, *family.peers, *family.marks, *family.helpers, *(feature.expr for feature in family.features))
        assert not [str(step) for step in steps if "median" in str(step) or "quantile" in str(step)]


def test_columns_read_exist_in_their_contract() -> None:
    for family in FAMILIES:
        assert set(family.columns) <= set(family.source.public), family.name


def test_sums_are_of_integers_so_that_row_order_cannot_change_a_value() -> None:
    frame = pl.DataFrame({"ago": [0, 1, 2] * 50, "count": [1, 5, 9] * 50})
    steady = FEATURES["activity_steady"].expr

    forward = frame.select(steady).item()
    backward = frame.reverse().select(steady).item()

    assert forward == backward


@pytest.mark.parametrize(
    ("table", "columns", "expr"),
    [
        ("learner_audit", ("sex", "disability"), pl.col("disability").first()),
        ("learner_identities", ("learner_id",), pl.len()),
        ("learners", ("birth_year",), pl.len()),
        ("learners", ("education_level",), pl.col("home_territory").n_unique()),
    ],
)
def test_a_family_that_reads_what_is_banned_cannot_even_be_declared(table: str, columns: tuple[str, ...], expr: pl.Expr) -> None:
    feature = Feature("planted", expr, "count", "Planted", "never null", "learner", "", "")

    with pytest.raises(ConfigurationError, match="protected, a close proxy, or an identity"):
        Family("planted", table, columns, facts=(feature,))
    assert Family("planted", "learners", ("education_level",), facts=()).features == ()


def test_the_facts_that_lists_go_by_by_name_are_in_the_catalogue() -> None:
    assert {*LAST_SIGNS, OFF_THE_SHEETS, *BACK.values(), *NEVER_SEEN} <= set(FEATURES)


def test_a_count_is_among_what_the_matrix_holds_and_what_stands_beside_a_reason_is_learnt_by_nothing() -> None:
    assert {feature.among for feature in FEATURES.values() if feature.among} <= set(QUALITY)
    beside = [feature for feature in FEATURES.values() if feature.beside]
    assert beside
    assert all(feature.speaks_from is not None and not feature.learnt for feature in beside)


def test_one_piece_of_work_and_several_are_told_as_people_say_it() -> None:
    def told(spoken: str) -> list[str]:
        language.use(spoken)
        return [why({"code": "assessments", "feature": "late_work", "value": number}, phrases()) for number in (1.0, 3.0)]

    assert copy_context().run(told, "fr") == ["1 travail demandé et rendu en retard.", "3 travaux demandés et rendus en retard."]
    assert copy_context().run(told, "en") == ["1 piece of work handed in late.", "3 pieces of work handed in late."]


def test_rates_that_are_equal_but_for_their_last_bit_tell_nothing() -> None:
    """Where there is one provider, its rate and that of all differ by a bit that depends on the date: trees would learn the date."""
    rate = 0.0012345
    rows = pl.DataFrame({"provider_hazard": [rate, np.nextafter(rate, 1), np.nextafter(rate, 0), 2 * rate], "overall_hazard": [rate] * 4})

    told = rows.select(FEATURES["provider_dropouts_against_overall"].expr).to_series()

    assert told.to_list() == [0.0, 0.0, 0.0, pytest.approx(np.log(2))]
