"""A night that cannot be broken: damaged files, full and closed disks, lost models, copies, replays."""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alerts.wording import NOT_ESTIMATED
from models.registry import attach, champion, load, model_for
from models.scoring import score
from models.watch import REFERENCE_FILE
from pipelines.backup import backup, restore
from pipelines.doctor import examine
from pipelines.experiments import freeze_plan, status_of
from pipelines.made_with import made_with
from pipelines.notice import degraded
from pipelines.replay import SERVED, replay
from pipelines.service import Service, open_service
from pipelines.steps import Directly, run_night, take_deliveries, told_night
from tests.services import copy_of
from vigie import clock
from vigie.errors import ConfigurationError, DamagedArchiveError, NoDataError, NoModelError, ReplayRefusedError, StorageError
from vigie.files import write_whole_text
from vigie.settings import ROOT, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

NIGHT = dt.date(2025, 11, 20)
VIGIE = str(Path(sys.executable).parent / "vigie")


def content(service: Service) -> dict[str, pl.DataFrame]:
    with service.warehouse() as warehouse:
        return {name: warehouse.whole(name) for name in warehouse.tables()}


def assert_served_alike(first: Service, second: Service, night: dt.date = NIGHT) -> None:
    for name in SERVED:
        assert (first.home.out(night) / name).read_bytes() == (second.home.out(night) / name).read_bytes(), name


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(300_000, len(data), 200_000):
        data[place] ^= 0xFF
    path.write_bytes(data)


def test_a_night_makes_a_harmed_warehouse_again_and_serves_the_same_scores(served: Service, service: Service, tmp_path: Path) -> None:
    before = content(service)
    for harm in (Path.unlink, cut, flip):
        harmed = copy_of(service, tmp_path / harm.__name__)
        harm(harmed.home.warehouse)

        take_deliveries(harmed)

        after = content(harmed)
        assert after.keys() == before.keys()
        for name, table in before.items():
            assert_frame_equal(after[name], table, check_exact=True)
    account = run_night(harmed, NIGHT, Directly())
    assert_served_alike(harmed, served)
    assert "made again from" in account["warnings"][0]
    assert [finding.what for finding in examine(harmed.settings) if "made again" in finding.what]


def test_a_backup_restored_elsewhere_is_the_same_service(served: Service, tmp_path: Path) -> None:
    copy = backup(served, tmp_path / "backups", lambda _: None)
    home = open_service(Settings(home=tmp_path / "restored"))

    restore(home, copy, lambda _: None)

    before, after = content(served), content(home)
    for name, table in before.items():
        assert_frame_equal(after[name], table, check_exact=True)
    assert replay(home, NIGHT).differences == []
    with pytest.raises(ConfigurationError, match="holds a service"):
        restore(home, copy, lambda _: None)


def test_a_restored_service_keeps_frozen_plans_and_lives_without_the_folder_it_came_from(served: Service, tmp_path: Path) -> None:
    first = copy_of(served, tmp_path / "first")
    freeze_plan(first, "place-sur-la-liste", rehearsal=True)
    page = first.home.indicators / "2025-10-31" / "body.html"
    page.parent.mkdir(parents=True)
    page.write_text("Couverture", encoding="utf-8")
    copy = backup(first, tmp_path / "backups", lambda _: None)
    second = open_service(Settings(home=tmp_path / "second"))
    restore(second, copy, lambda _: None)
    shutil.rmtree(first.home.root)

    assert status_of(second, "place-sur-la-liste").frozen
    assert (second.home.indicators / "2025-10-31" / "body.html").exists()
    version = model_for(second.home, NIGHT).version
    shutil.rmtree(second.home.models / version)
    assert load(second.home, version).version == version
    attach(second.home, version, {}, {}, list(second.home.indicators.rglob("*.html")))
    assert not first.home.root.exists()

    shutil.rmtree(second.home.models / version)
    shutil.rmtree(second.home.mlruns)
    with pytest.raises(NoModelError, match="gone"):
        load(second.home, version)


def test_a_backup_is_restored_beside_its_own_case_store_and_no_other(served: Service, tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'other.sqlite'}"
    moved = Service(served.settings.model_copy(update={"cases_url": elsewhere}), served.home, served.rules)
    here, there = (backup(one, tmp_path / name, lambda _: None) for one, name in ((served, "here"), (moved, "there")))
    alone = open_service(Settings(home=tmp_path / "restored"))
    beside = Service(alone.settings.model_copy(update={"cases_url": elsewhere}), alone.home, alone.rules)

    with pytest.raises(ConfigurationError, match="is not set"):
        restore(alone, there, lambda _: None)
    with pytest.raises(ConfigurationError, match="names another"):
        restore(beside, here, lambda _: None)
    assert not alone.home.archive.exists()
    assert restore(beside, there, lambda _: None) > 0


def test_a_backup_with_one_byte_changed_is_refused_and_nothing_is_restored(served: Service, tmp_path: Path) -> None:
    copy = backup(served, tmp_path / "backups", lambda _: None)
    victim = copy / "cases.sqlite"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0x01
    victim.write_bytes(data)
    home = open_service(Settings(home=tmp_path / "restored"))

    with pytest.raises(ConfigurationError, match=r"cases\.sqlite"):
        restore(home, copy, lambda _: None)

    assert not home.home.cases.exists()


def test_a_restore_stopped_half_way_opens_for_nothing_else_and_goes_on(served: Service, tmp_path: Path) -> None:
    copy = backup(served, tmp_path / "backups", lambda _: None)
    begun = open_service(Settings(home=tmp_path / "restored"))

    def stopped(step: str) -> None:
        if step == "landing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(begun, copy, stopped)
    with pytest.raises(ConfigurationError, match="half restored"):
        open_service(begun.settings)
    another = backup(served, tmp_path / "others", lambda _: None)
    (another / "backup.json").write_text((another / "backup.json").read_text().replace("made_at", "made_on"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="holds a service"):
        restore(begun, another, lambda _: None)

    restore(open_service(begun.settings, restoring=True), copy, lambda _: None)

    assert replay(open_service(begun.settings), NIGHT).differences == []


def test_what_could_not_be_restored_is_not_called_a_backup(served: Service, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="took no delivery"):
        backup(open_service(Settings(home=tmp_path / "empty")), tmp_path / "backups", lambda _: None)
    harmed = copy_of(served, tmp_path / "harmed")
    rows = next(harmed.home.archive.glob("*/rows.parquet"))
    data = bytearray(rows.read_bytes())
    data[len(data) // 2] ^= 0x01
    rows.write_bytes(data)

    with pytest.raises(DamagedArchiveError, match=r"rows\.parquet is not what was kept"):
        backup(harmed, tmp_path / "backups", lambda _: None)
    assert not list((tmp_path / "backups").glob("*"))


def test_a_correction_ten_days_late_changes_nights_after_it_and_none_before(served: Service, tmp_path: Path) -> None:
    """Present for two weeks, says the first export; absent all along, says the one of ten days later."""
    model = model_for(served.home, NIGHT)
    dates = [NIGHT, NIGHT + dt.timedelta(days=9), NIGHT + dt.timedelta(days=10), NIGHT + dt.timedelta(days=12)]
    sheets = pl.read_parquet(served.home.landing / "attendance" / "2025-q4.parquet")
    theirs = sheets.filter(pl.col("known_on").dt.month() == 11, pl.col("date") <= NIGHT, pl.col("status").cast(pl.String) == "present")
    last = pl.read_parquet(served.home.out(NIGHT) / "scores.parquet").select("enrolment_id")
    enrolment = theirs.join(last, on="enrolment_id").group_by("enrolment_id").len().sort("len", "enrolment_id")["enrolment_id"][-1]
    late = copy_of(served, tmp_path)
    path = late.home.landing / "attendance" / "correction.csv"
    rows = theirs.filter(pl.col("enrolment_id") == enrolment).select("enrolment_id", "date", "half_day")
    rows.with_columns(pl.col("half_day").cast(pl.String), status=pl.lit("absent_unjustified")).write_csv(path)
    landed = dt.datetime(2025, 11, 30, 12, tzinfo=dt.UTC).timestamp()
    os.utime(path, (landed, landed))
    take_deliveries(late)

    def scores(service: Service) -> pl.DataFrame:
        with service.warehouse() as warehouse:
            return score(warehouse, model, dates, service.rules.invariants, service.time_zone).scores

    first, second = scores(served), scores(late)

    same = first.join(second, on=["as_of", "enrolment_id"], suffix="_late").filter(pl.col("risk") != pl.col("risk_late"))
    assert rows.height > 8
    assert set(same["as_of"]) == {dates[2], dates[3]}
    assert enrolment in same["enrolment_id"].to_list()
    assert replay(late, NIGHT).differences == []


def test_a_replay_sees_no_delivery_that_came_later_whatever_its_rows_say(served: Service, tmp_path: Path) -> None:
    """Rows that claim to have been known before the night, in a file that came after it."""
    late = copy_of(served, tmp_path)
    enrolment = pl.read_parquet(served.home.out(NIGHT) / "scores.parquet")["enrolment_id"][0]
    path = late.home.landing / "exits" / "claim.csv"
    path.write_text(f"enrolment_id,exit_date,reason,known_on\n{enrolment},2025-11-01,dropout,2025-11-02T08:00:00Z\n", encoding="utf-8")
    take_deliveries(late)

    assert replay(late, NIGHT).differences == []


def test_a_night_run_under_a_wrong_clock_dates_no_later_delivery(served: Service, tmp_path: Path) -> None:
    late = copy_of(served, tmp_path)
    tomorrow = clock.now() + dt.timedelta(days=1)
    take_deliveries(late, taken_for=tomorrow.date() + dt.timedelta(days=364))
    for name in ("before", "after"):
        path = late.home.landing / "exits" / f"{name}.csv"
        path.write_text(f"enrolment_id,exit_date,reason\n{name},2025-11-01,dropout\n", encoding="utf-8")
        take_deliveries(late, taken_for=tomorrow.date() + dt.timedelta(days=364) if name == "before" else None)

    known = content(late)["exits"].filter(pl.col("enrolment_id").is_in(["before", "after"]))["known_on"]
    assert known.len() == 2
    assert known.max() < tomorrow


def test_a_replay_says_which_of_model_code_or_rules_is_not_the_same(served: Service, tmp_path: Path) -> None:
    changed = copy_of(served, tmp_path)
    path = changed.home.out(NIGHT) / "night.json"
    account = json.loads(path.read_text())
    path.write_text(json.dumps(account | {"made_with": account["made_with"] | {"code": "0123", "polars": "1.0"}}))
    with pytest.raises(ReplayRefusedError, match=r"code was 0123.*polars was 1\.0"):
        replay(changed, NIGHT)
    assert replay(changed, NIGHT, anyway=True).differences == []

    path.write_text(json.dumps(account))
    (changed.home.out(NIGHT) / "scores.parquet").write_bytes((changed.home.out(NIGHT) / "alerts.parquet").read_bytes())
    assert "scores.parquet: other columns" in replay(changed, NIGHT).differences[0]
    (changed.home.out(NIGHT) / "session_alerts.parquet").unlink()
    assert "session_alerts.parquet of that night is gone, or" in replay(changed, NIGHT).differences[1]

    (changed.home.out(NIGHT) / "alerts.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(StorageError, match=r"alerts\.parquet cannot be read"):
        replay(changed, NIGHT)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StorageError, match=r"night\.json cannot be read"):
        replay(changed, NIGHT)
    path.write_text(json.dumps(account))

    shutil.rmtree(changed.home.models / account["model_version"])
    changed.home.mlflow_db.unlink()
    with pytest.raises(ReplayRefusedError, match=account["model_version"]):
        replay(changed, NIGHT)
    with pytest.raises(NoDataError, match="not run here"):
        replay(changed, NIGHT - dt.timedelta(days=300))


def test_a_plan_under_way_is_no_other_rule_and_a_mapping_is(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    before = made_with(config)

    (config / "experiments" / "essai.toml").write_text("# not finished", encoding="utf-8")
    assert made_with(config) == before

    (config / "sources" / "essai.toml").write_text("title = 'x'", encoding="utf-8")
    assert made_with(config)["rules"] != before["rules"]


def test_a_night_without_a_model_still_lists_by_the_rule_and_the_promises_and_nobody_falls_off_for_it(
    served: Service, tmp_path: Path
) -> None:
    without = copy_of(served, tmp_path)
    aside = without.home.mlflow_db.rename(tmp_path / "aside.db")
    day = NIGHT + dt.timedelta(days=1)

    account = run_night(without, day, Directly())

    out = without.home.out(day)
    made = pl.read_parquet(out / "alerts.parquet").with_columns(pl.col("kind", "state").cast(pl.String))
    risks = made.filter(pl.col("kind") == "dropout_risk")
    assert "mlflow.db is gone, though models were decided on here. Bring it back from a backup" in account["not_estimated"]
    assert account["not_estimated"] in account["warnings"][0]
    assert pl.read_parquet(out / "scores.parquet").is_empty()
    assert risks["risk"].null_count() == risks.height > 0
    assert set(made["kind"]) > {"dropout_risk"}
    features = pl.read_parquet(out / "features.parquet").select("enrolment_id", "unjustified_half_days_30")
    called = risks.filter(pl.col("state") == "new").join(features, on="enrolment_id")
    told = called.filter(pl.col("reasons").list.first().struct.field("code") == "attendance")
    assert told.height
    assert told["unjustified_half_days_30"].min() >= without.rules.invariants.attendance_rule_absences
    pages = [path.read_text() for path in (out / "lists").glob("*.html")]
    assert pages
    assert all(NOT_ESTIMATED in page.replace("&#39;", "'") for page in pages)

    aside.rename(without.home.mlflow_db)
    with_model = run_night(without, day + dt.timedelta(days=1), Directly())
    later = pl.read_parquet(without.home.out(day + dt.timedelta(days=1)) / "alerts.parquet").with_columns(
        pl.col("kind", "state").cast(pl.String)
    )
    stood = pl.read_parquet(served.home.out(NIGHT) / "alerts.parquet").with_columns(pl.col("kind", "state").cast(pl.String))
    stood = stood.filter(pl.col("kind") == "dropout_risk", pl.col("state") == "new", pl.col("risk") > 0.1).select("enrolment_id")
    after = later.filter(pl.col("kind") == "dropout_risk").join(stood, on="enrolment_id")
    assert with_model["not_estimated"] == ""
    assert (after["state"] == "sent").sum() > 0.7 * stood.height > 0


def test_a_damaged_mlflow_database_is_a_night_without_a_model_and_no_traceback(service: Service, tmp_path: Path) -> None:
    damaged = copy_of(service, tmp_path)
    damaged.home.mlflow_db.write_bytes(b"not a database" * 500)

    assert "cannot be read" in run_night(damaged, NIGHT, Directly())["not_estimated"]


def test_what_the_watch_cannot_read_costs_the_night_its_watch_alone(service: Service, tmp_path: Path) -> None:
    damaged = copy_of(service, tmp_path)
    version = champion(damaged.home)
    assert version
    reference = damaged.home.models / version / REFERENCE_FILE
    reference.write_bytes(reference.read_bytes()[:100])

    account = run_night(damaged, NIGHT, Directly())

    assert [str(reference) in warning and "Restore it" in warning for warning in account["warnings"] if "watch" in warning] == [True]
    assert (damaged.home.out(NIGHT) / "night.json").exists()


def test_a_damaged_account_of_the_night_before_makes_news_of_what_is_known_and_costs_no_night(service: Service, tmp_path: Path) -> None:
    made = copy_of(service, tmp_path)
    silence = {"source": "provider", "id": "P1", "table": "attendance"}
    told = {"as_of": NIGHT.isoformat(), "not_estimated": "", "silences": [silence], "set_aside": []}
    before = made.home.out(NIGHT - dt.timedelta(days=1)) / "night.json"
    write_whole_text(before, json.dumps({"silences": [silence]}))
    assert degraded(made, told) == []

    before.write_text("{", encoding="utf-8")
    assert degraded(made, told) == ["provider P1: attendance"]


def test_the_operator_is_told_once_of_a_night_that_failed_or_served_less(service: Service, tmp_path: Path) -> None:
    from alerts.cases import CaseStore
    from alerts.outbox import waiting

    home = copy_of(service, tmp_path)
    told = Service(home.settings.model_copy(update={"smtp_host": "localhost", "operator_mail": "o@example.org"}), home.home, home.rules)
    home.home.mlflow_db.unlink()
    for _ in range(2):
        with pytest.raises(NoModelError):
            told_night(told, dt.date(2024, 1, 1), Directly())
        told_night(told, NIGHT, Directly())

    with CaseStore(home.cases_url) as cases:
        rows = waiting(cases.engine)
        (text,) = cases.engine.connect().exec_driver_sql("SELECT text FROM outbox WHERE key LIKE 'degraded/%'").scalars()
    assert sorted(row.key.split("/")[0] for row in rows) == ["degraded", "failed"]
    assert "is gone, though models were decided on here" in text
    assert "vigie doctor" in text


def limited(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_is_full_is_said_and_the_night_run_again_ends_as_if_never_interrupted(
    served: Service, service: Service, tmp_path: Path
) -> None:
    home = copy_of(service, tmp_path)
    command = [VIGIE, "night", "--home", str(tmp_path), "--as-of", NIGHT.isoformat()]

    for size in (60_000, 1_500_000):
        result = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limited(size))
        assert result.returncode == 1
        assert "full" in result.stderr, result.stderr
        assert "Traceback" not in result.stderr

    run_night(home, NIGHT, Directly())
    assert_served_alike(home, served)


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write anywhere unless setpriv takes that away")
def test_a_folder_that_may_not_be_written_to_is_said(served: Service, tmp_path: Path) -> None:
    home = copy_of(served, tmp_path / "home")
    drop = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"] if os.geteuid() == 0 else []
    for path in (home.home.root, *home.home.root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [*drop, VIGIE, "night", "--home", str(home.home.root), "--as-of", NIGHT.isoformat()]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    for path in (home.home.root, *home.home.root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert result.returncode == 1
    assert "may not write" in result.stderr or "cannot be written" in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
