"""The recipe of a version, judged on providers and programmes that it learns nothing from."""

from __future__ import annotations

import datetime as dt
import json
import re
from html import unescape
from typing import TYPE_CHECKING

import polars as pl
import pytest
from markupsafe import escape

from models import unseen
from models.blocks import cut
from models.card import CARD_FILE, CARD_FILES, UNSEEN_FILE
from models.comparison import EVIDENCE_FILE
from models.language import spoken
from models.registry import EXPERIMENT, champion, client_of, fingerprint_of, twin_of
from models.training import fingerprint, learnt_rows
from models.unseen import FEWEST_LEAVERS, PARTS, Unseen, judge_unseen
from pipelines.console import show_unseen
from pipelines.serving import leave_out
from tests.conftest import TRAINED
from tests.services import copy_of
from vigie.errors import NoModelError

if TYPE_CHECKING:
    from pathlib import Path

    import lightgbm as lgb
    import numpy as np
    from numpy.typing import NDArray

    from models.calibration import Calibration
    from models.learner import Model
    from pipelines.service import Service

FEW = 20
"""Bootstraps: enough to see that there are intervals."""


@pytest.fixture(scope="module")
def taught(service: Service) -> tuple[Model, str, pl.DataFrame]:
    """The twin of the champion, the fingerprint of what taught it, and the rows of its training."""
    version = champion(service.home)
    assert version
    with service.warehouse() as warehouse:
        rows = learnt_rows(warehouse, TRAINED, service.rules.invariants, service.time_zone)
    return twin_of(service.home, version)[0], fingerprint_of(service.home, version), rows


def test_what_is_judged_taught_nothing_nor_did_anybody_judged_there(
    service: Service, taught: tuple[Model, str, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    twin, by, rows = taught
    # Somebody judged was in a course elsewhere before.
    blocks = cut(rows, twin.horizon_days)
    somebody = blocks.test.row(0, named=True)
    apart = pl.all_horizontal(pl.col(name) != somebody[name] for name in ("provider_id", "programme_id"))
    theirs = apart & (pl.col("as_of") <= blocks.train["as_of"].max()) & (pl.col("course_day") % 10 == 0)
    rows = rows.with_columns(learner_id=pl.when(theirs).then(pl.lit(somebody["learner_id"])).otherwise("learner_id"))
    assert (rows["learner_id"] == somebody["learner_id"]).sum() > 20
    learnt: list[pl.DataFrame] = []
    calibrated: list[int] = []
    fit, calibrate = unseen.fit, unseen.calibrate

    def watched(past: pl.DataFrame, threads: int, **_: object) -> lgb.Booster:
        learnt.append(past.select("provider_id", "programme_id", "learner_id", "as_of"))
        return fit(past, rounds=20, threads=threads)

    def counted(margin: NDArray[np.float64], label: NDArray[np.float64]) -> Calibration:
        calibrated.append(len(label))
        return calibrate(margin, label)

    monkeypatch.setattr(unseen, "fit", watched)
    monkeypatch.setattr(unseen, "calibrate", counted)
    # The small service of the tests has no more dropouts than that in a block.
    monkeypatch.setattr(unseen, "MIN_DROPOUTS", 5)

    found = judge_unseen(twin, by, rows, "v", threads=1, times=FEW)

    later = rows.filter(pl.col("as_of") >= dt.date.fromisoformat(found.first))
    assert len(learnt) == 2 * PARTS
    between = blocks.calibration
    for level, parts, sizes in (
        ("provider_id", learnt[:PARTS], calibrated[:PARTS]),
        ("programme_id", learnt[PARTS:], calibrated[PARTS:]),
    ):
        left_out = [set(later[level]) - set(past[level]) for past in parts]
        assert sorted(place for part in left_out for place in part) == sorted(set(later[level]))
        for part, past, size in zip(left_out, parts, sizes, strict=True):
            judged = later.filter(pl.col(level).is_in(part))
            assert not set(past["learner_id"]) & set(judged["learner_id"])
            assert size == between.filter(~pl.col(level).is_in(part)).join(judged, on="learner_id", how="anti").height
            assert past["as_of"].max() < later["as_of"].min() - dt.timedelta(days=twin.horizon_days)
    # Every row is judged once a level, and what the twin says of it is what it said on the day of training.
    assert set(found.levels["rows"]) == {later.height}
    evidence = json.loads((service.home.models / str(champion(service.home)) / EVIDENCE_FILE).read_text(encoding="utf-8"))
    (then,) = [one["value"] for one in evidence["figures"] if (one["contender"], one["metric"]) == ("model", "auc")]
    assert found.figures.filter(contender="seen", metric="auc")["value"].to_list() == pytest.approx([then, then])
    places = found.places.filter(level="provider")
    assert places["rows"].to_list() == sorted(places["rows"], reverse=True)
    assert places["observed"].sum() <= later["label"].sum()
    assert (places["low"].is_null() == (places["leavers"] < FEWEST_LEAVERS)).all()
    assert set(found.differences["rival"]) == {"seen", "attendance_rule", "days_silent"}


def test_one_provider_alone_or_too_little_elsewhere_is_said(taught: tuple[Model, str, pl.DataFrame]) -> None:
    twin, _, rows = taught
    # Everybody who left in the first blocks was in one programme, with half of the others: without it there is nothing to learn.
    left = rows.filter(pl.col("label") == 1, pl.col("as_of") <= cut(rows, twin.horizon_days).calibration["as_of"].max())[
        "learner_id"
    ].unique()
    half = pl.col("learner_id").rank("dense") % 2 == 0
    programme = pl.when(pl.col("learner_id").is_in(left.implode()) | half).then(pl.lit("p")).otherwise(pl.lit("q"))
    lonely = rows.with_columns(provider_id=pl.lit("only"), programme_id=programme)

    found = judge_unseen(twin, fingerprint(lonely), lonely, "v", threads=1, times=FEW)

    assert found.levels["why_not"].to_list() == [
        "There is one provider alone.",
        "Without p fewer than 20 dropouts are left to learn or to calibrate from.",
    ]
    assert found.levels["places"].to_list() == [0, 1]
    assert found.figures["level"].unique().to_list() == ["programme"]
    assert "NaN" not in found.to_json()


def test_rows_that_are_no_longer_those_it_was_taught_with_are_refused(taught: tuple[Model, str, pl.DataFrame]) -> None:
    twin, by, rows = taught

    with pytest.raises(NoModelError, match="no longer those that v was taught with"):
        judge_unseen(twin, by, rows[1:], "v")


def test_the_card_mlflow_and_the_terminal_tell_it(service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = copy_of(service, tmp_path)
    version = champion(made.home)
    assert version
    card = made.home.models / version / CARD_FILE
    english = card.with_name(CARD_FILES["en"])
    assert f"vigie models unseen {version}" in card.read_text(encoding="utf-8")

    # A card of an older version of Vigie has no place for it yet.
    for page in (card, english):
        page.write_text(
            re.sub(r'<section id="unseen".*?</section>\n', "", page.read_text(encoding="utf-8"), flags=re.DOTALL), encoding="utf-8"
        )

    found: Unseen = leave_out(made, version)
    again = leave_out(made, version)
    show_unseen(found)

    assert found.to_json() == again.to_json() == (made.home.models / version / UNSEEN_FILE).read_text(encoding="utf-8")
    page, french = english.read_text(encoding="utf-8"), card.read_text(encoding="utf-8")
    assert (
        page.count('<section id="unseen" lang="en">') == page.count("<h3>By provider</h3>") == french.count("<h3>Par organisme</h3>") == 1
    )
    assert "Not judged for this version" not in page
    assert f"({found.first} to {found.last}) is judged" in page
    assert page.index("<h3>By programme</h3>") < page.index('<h2 id="groups">')
    assert french.index("<h3>Par programme</h3>") < french.index('<h2 id="groups">')
    told = capsys.readouterr().out
    assert "By provider" in told
    assert "less seen" in told
    assert "En précision moyenne, là où rien n'a été appris, pour la même méthode" in unescape(french)
    assert Unseen.read(found.to_json()).to_json() == found.to_json()
    for level in ("provider", "programme"):
        assert found.verdict(level) in told
        assert found.verdict(level) in page
        assert str(escape(spoken(found.verdict(level), "fr"))) in french
    client = client_of(made.home)
    (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    value = found.figures.filter(level="provider", contender="unseen", metric="average_precision")["value"][0]
    assert run.data.metrics["unseen/provider/unseen/average_precision"] == pytest.approx(value)


def test_a_verdict_says_what_an_interval_proves_and_no_more() -> None:
    bounds = {"seen": (-0.05, -0.01), "attendance_rule": (-0.01, 0.02), "days_silent": (0.01, 0.05)}
    told = [("provider", rival, "average_precision", 0.0, low, high) for rival, (low, high) in bounds.items()]
    others = [("provider", "seen", "auc", 0.1, 0.05, 0.2), ("programme", "seen", "average_precision", 0.1, 0.05, 0.2)]
    schema = ["level", "rival", "metric", "difference", "low", "high"]
    none = pl.DataFrame()
    found = Unseen("v", "", "", none, none, pl.DataFrame([*told, *others], schema=schema, orient="row"), none)

    assert found.verdict("provider") == (
        "By average precision, where nobody learnt, the recipe is proven to rank worse than the twin that saw them; "
        "not proven to differ from the attendance rule; proven to rank better than the number of days silent."
    )
