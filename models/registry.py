"""Models in MLflow: logged, registered, found again. Files stay LightGBM's own text and JSON; nothing is pickled."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from features.catalogue import FEATURES
from models.evaluation.measures import figures
from models.learner import MOST_ROUNDS, PARAMETERS, PATIENCE, SEED, SHARP_ROUNDS, Model
from models.strata import SPREAD, STRATUM
from vigie.errors import NoModelError
from vigie.files import write_whole_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from models.training import Trained
    from vigie.settings import Home

NAME: Final = "vigie-dropout"
CHAMPION: Final = "champion"
EXPERIMENT: Final = "vigie"
LOCKED_SECONDS: Final = 30
"""How long a database that somebody writes to is waited for."""
VERSION_TAG: Final = "model_version"
FINGERPRINT_TAG: Final = "data_fingerprint"
PROMOTED_TAG: Final = "promoted"
"""On every version that is or was champion and was not taken back: only those may serve a night."""
DECISIONS_FILE: Final = "decisions.jsonl"
"""Every decision on a version, below the folder of models."""
TWIN: Final = "twin"
SEEN_FILE: Final = "seen.json"


def register(home: Home, trained: Trained) -> str:
    """Log a trained model and its twin to MLflow with parameters, figures, features, fingerprint and plots. It does not serve yet.

    Training again on the same data gives the same version: it is registered once. What makes a version champion is a decision, see
    `models.promotion`.

    Returns:
        The model's version.
    """
    model = trained.model
    folder = home.models / model.version
    model.save(folder)
    (folder / "features.json").write_text(json.dumps(_catalogue(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (folder / "figures.json").write_text(json.dumps(trained.figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    trained.twin.save(folder / TWIN)
    (folder / TWIN / SEEN_FILE).write_text(json.dumps({"until": _seen(trained)}) + "\n", encoding="utf-8")
    if model.version not in versions(home):
        _log(home, client_of(home), trained)
    return model.version


def _seen(trained: Trained) -> str:
    """The last landmark the twin learnt from."""
    return str(trained.blocks.filter(block="calibration")["last"][0])


def model_for(home: Home, as_of: dt.date) -> Model:
    """The model a night of `as_of` is served with: the champion, or for older nights the newest champion that was trained by then.

    Raises:
        NoModelError: no model trained on or before `as_of` was ever promoted.
    """
    serving = champion(home)
    if serving and serving[:10] <= as_of.isoformat():
        return load(home, serving)
    numbers = versions(home)
    trained = [version for version in numbers if version[:10] <= as_of.isoformat()]
    # Of two trained on one day, the one registered last.
    earlier = sorted(set(trained) & promoted(home), key=lambda version: (version[:10], int(numbers[version])))
    if earlier:
        return load(home, earlier[-1])
    if trained:
        what = f"Models were trained by {as_of}, the last one {max(trained)}, but none may serve: refused, not decided on, or taken back."
        raise NoModelError(what, "See why with: vigie models list. Then: vigie models promote VERSION, with --reason to overrule the gate.")
    what = f"No model was trained on or before {as_of}, and one that saw later facts may not serve this night."
    raise NoModelError(
        what, f"Run: vigie train --as-of {as_of}. To judge a later model on this night: vigie backfill --scores-only --model VERSION."
    )


def load(home: Home, version: str) -> Model:
    """A registered model by its version, from the local copy, or from MLflow when that is gone.

    Raises:
        NoModelError: unknown version, files that are gone, or files that are not those that were registered.
    """
    registered = known(home, version)
    folder = home.models / version
    if not folder.is_dir():
        _fetch(home, registered, folder)
    return Model.load(folder, version)


def twin_of(home: Home, version: str) -> tuple[Model, dt.date]:
    """The twin of a version, fitted on the past alone, and the last landmark it learnt from.

    Raises:
        NoModelError: the version is unknown, was registered before twins were kept, or its twin's files are not those registered.
    """
    load(home, version)
    folder = home.models / version / TWIN
    try:
        until = dt.date.fromisoformat(json.loads((folder / SEEN_FILE).read_text(encoding="utf-8"))["until"])
    except OSError as error:
        if has_twin(home, version):
            raise _altered(folder) from error
        raise NoModelError(
            f"{version} has no twin to be compared by.", "It was registered by an older version of Vigie: train again."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _altered(folder) from error
    # Versions registered before this tag was written have none: their twin is read as it lies.
    twin, seen = _twin_tag(home, version)
    if seen and seen != until.isoformat():
        raise _altered(folder)
    return Model.load(folder, twin or None), until


def has_twin(home: Home, version: str) -> bool:
    """Whether a version was registered with a twin, wherever its files are now."""
    return bool(_twin_tag(home, version)[0])


def not_computed(model: Model) -> list[str]:
    """Columns a model reads and this version of Vigie does not compute: it can serve no night."""
    return sorted(set(model.columns) - set(FEATURES))


def _altered(folder: Path) -> NoModelError:
    what = f"The files in {folder} are not those registered: they were damaged or altered."
    return NoModelError(what, "Delete the folder of the version: it is fetched again from MLflow.")


def fingerprint_of(home: Home, version: str) -> str:
    """SHA-256 of the landmark rows that taught a version, as it was registered; empty where it was not."""
    return _tag(home, version, FINGERPRINT_TAG)


def _twin_tag(home: Home, version: str) -> tuple[str, str]:
    """The twin's own version and the last landmark it learnt from, as they were registered; empty where they were not."""
    twin, _, seen = _tag(home, version, TWIN).partition(" ")
    return twin, seen


def _tag(home: Home, version: str, key: str) -> str:
    query = (
        "SELECT asked.value FROM model_version_tags AS asked "
        "JOIN model_version_tags AS tag ON tag.name = asked.name AND tag.version = asked.version AND tag.key = ? AND tag.value = ? "
        "WHERE asked.name = ? AND asked.key = ?"
    )
    rows = _query(home, query, (VERSION_TAG, version, NAME, key))
    return str(rows[0][0]) if rows else ""


def known(home: Home, version: str) -> str:
    """MLflow's number for a version.

    Raises:
        NoModelError: there is no such version.
    """
    registered = versions(home)
    if version not in registered:
        names = ", ".join(sorted(registered)) or "none yet"
        raise NoModelError(f"There is no model {version}.", f"Registered models: {names}.")
    return registered[version]


def versions(home: Home) -> dict[str, str]:
    """Versions of Vigie's model, and MLflow's numbers for them."""
    query = "SELECT value, version FROM model_version_tags WHERE name = ? AND key = ?"
    return {str(value): str(number) for value, number in _query(home, query, (NAME, VERSION_TAG))}


def promoted(home: Home) -> set[str]:
    """Versions that are or were champion and were not taken back."""
    query = (
        "SELECT tag.value FROM model_version_tags AS tag "
        "JOIN model_version_tags AS mark ON mark.name = tag.name AND mark.version = tag.version AND mark.key = ? "
        "WHERE tag.name = ? AND tag.key = ?"
    )
    return {str(value) for (value,) in _query(home, query, (PROMOTED_TAG, NAME, VERSION_TAG))}


def champion(home: Home) -> str | None:
    """The version that serves; None before the first promotion."""
    query = (
        "SELECT tag.value FROM registered_model_aliases AS alias "
        "JOIN model_version_tags AS tag ON tag.name = alias.name AND tag.version = alias.version AND tag.key = ? "
        "WHERE alias.name = ? AND alias.alias = ?"
    )
    rows = _query(home, query, (VERSION_TAG, NAME, CHAMPION))
    return str(rows[0][0]) if rows else None


def crown(home: Home, version: str, tags: Mapping[str, str]) -> None:
    """Make a version champion in MLflow, with tags that say why."""
    number, client = known(home, version), client_of(home)
    for key, value in {PROMOTED_TAG: "yes", **tags}.items():
        client.set_model_version_tag(NAME, number, key, value)
    client.set_registered_model_alias(NAME, CHAMPION, number)


def uncrown(home: Home, version: str, tags: Mapping[str, str]) -> None:
    """Take the right to serve from a version that was taken back, with tags that say why."""
    number, client = known(home, version), client_of(home)
    client.delete_model_version_tag(NAME, number, PROMOTED_TAG)
    for key, value in tags.items():
        client.set_model_version_tag(NAME, number, key, value)


def keep_plots(home: Home, version: str, plots: Mapping[str, bytes]) -> None:
    """Lay the plots of a version, PNG, beside its figures in MLflow."""
    client = client_of(home)
    run = client.get_model_version(NAME, known(home, version)).run_id
    with TemporaryDirectory() as folder:
        for name, plot in plots.items():
            (Path(folder) / f"{name}.png").write_bytes(plot)
        client.log_artifacts(run, folder, "plots")


def trained_on(version: str) -> dt.date:
    """The as-of date of a version's training, which its name begins with."""
    return dt.date.fromisoformat(version[:10])


def attach(home: Home, version: str, metrics: Mapping[str, float], tags: Mapping[str, str], files: Sequence[Path]) -> None:
    """Add figures, tags and files to the run of a version."""
    from mlflow.entities import Metric, RunTag

    number, client = known(home, version), client_of(home)
    run = client.get_run(client.get_model_version(NAME, number).run_id).info
    kept = [Metric(name, value, run.start_time, 0) for name, value in metrics.items() if math.isfinite(value)]
    client.log_batch(run.run_id, metrics=kept, tags=[RunTag(key, value) for key, value in tags.items()])
    for key, value in tags.items():
        client.set_model_version_tag(NAME, number, key, value)
    for path in files:
        client.log_artifact(run.run_id, str(path), "report")
    # What lies beside the model too, evidence and reference: a folder that is lost is fetched again whole.
    client.log_artifacts(run.run_id, str(home.models / version), "model")


def named(
    figures: pl.DataFrame, differences: pl.DataFrame | None = None, *, place: str = "", names: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Figures and differences from rivals, with their intervals, by the names that MLflow shows them under.

    Args:
        figures: contender, metric, value, low, high.
        differences: rival, metric, difference, low, high.
        place: what each name begins with, such as judged/.
        names: what some contenders are called there.
    """
    called = names or {}
    told = {
        f"{place}{called.get(row['contender'], row['contender'])}/{row['metric']}{end}": row[key]
        for row in figures.to_dicts()
        for key, end in (("value", ""), *_BOUNDS)
    }
    return told | {
        f"{place}difference from {called.get(row['rival'], row['rival'])}/{row['metric']}{end}": row[key]
        for row in (differences.to_dicts() if differences is not None else ())
        for key, end in (("difference", ""), *_BOUNDS)
    }


_BOUNDS: Final = (("low", "/low"), ("high", "/high"))


def log_run(
    home: Home, name: str, metrics: Mapping[str, float], parameters: Mapping[str, object], tags: Mapping[str, str], texts: Mapping[str, str]
) -> None:
    """A run of its own: figures that belong to no training, such as of two versions side by side."""
    from mlflow.entities import Metric, Param, RunTag

    client = client_of(home)
    run = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id, run_name=name).info
    kept = [Metric(key, value, run.start_time, 0) for key, value in metrics.items() if math.isfinite(value)]
    said = [Param(key, str(value)) for key, value in parameters.items()]
    client.log_batch(run.run_id, metrics=kept, params=said, tags=[RunTag(key, value) for key, value in tags.items()])
    for file, text in texts.items():
        client.log_text(run.run_id, text, file)
    client.set_terminated(run.run_id)


def _query(home: Home, sql: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
    # MLflow takes 10 seconds to import; a night asks its database two questions and goes on.
    if not home.mlflow_db.exists():
        if (home.models / DECISIONS_FILE).exists():
            # A training would begin another, and crown its model against nobody.
            what = f"MLflow's database {home.mlflow_db} is gone, though models were decided on here."
            raise NoModelError(what, "Bring it back from a backup: vigie restore.")
        return []
    with closing(sqlite3.connect(f"file:{home.mlflow_db}?mode=ro", uri=True, timeout=LOCKED_SECONDS)) as connection:
        try:
            return connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            if "no such table" in str(error):  # not filled yet
                return []
            # Not the same as no model: a training would then crown what it was never held against.
            what = f"MLflow's database {home.mlflow_db} cannot be read: {error}."
            raise NoModelError(what, "Stop what holds it, or bring it back from a backup: vigie restore.") from error


def moved_here(home: Home) -> None:
    """Tell MLflow's database where the files of its runs lie now: it keeps the folder they were first written to, whole.

    A home folder that was restored or copied would else go on reading and writing in the one it came from.
    """
    here = home.mlruns.resolve().as_uri()
    rows = _query(home, "SELECT artifact_location FROM experiments WHERE name = ?", (EXPERIMENT,))
    if not rows or rows[0][0] == here:
        return
    before = str(rows[0][0])
    with closing(sqlite3.connect(home.mlflow_db)) as connection, connection:
        for table, column in _ADDRESSES:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # noqa: S608 - our own names
                (here, len(before) + 1, before, len(before) + 1, f"{before}/"),
            )


_ADDRESSES: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow writes down a folder."""


def client_of(home: Home) -> Any:  # noqa: ANN401 - mlflow is not typed
    """MLflow's client for the service in `home`; its import takes seconds, so nightly paths never come here."""
    moved_here(home)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{home.mlflow_db.resolve()}")


def _log(home: Home, client: Any, trained: Trained) -> None:  # noqa: ANN401 - mlflow is not typed
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException

    model = trained.model
    experiment = client.get_experiment_by_name(EXPERIMENT)
    number = (
        experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT, artifact_location=home.mlruns.resolve().as_uri())
    )
    run = client.create_run(number, run_name=model.version)
    identifier = run.info.run_id
    told = dict(trained.figures)
    if (judged := trained.positive.judged) is not None:
        told["positive_exit"] = figures(judged, judged["risk"].to_numpy(), probability=True)
    # Named after their rows: what the gate is told, judged/, may rest on fewer, later than what the champion had seen.
    metrics = {f"test_block/{who}/{name}": value for who, values in told.items() for name, value in values.items()}
    blocks = {row["block"]: row for row in trained.blocks.to_dicts()}
    metrics |= {f"rows/{name}": row["rows"] for name, row in blocks.items()} | {
        f"dropouts/{name}": row["dropouts"] for name, row in blocks.items()
    }
    parameters = PARAMETERS | {
        "rounds": model.booster.num_trees(),
        "seed": SEED,
        "horizon_days": model.horizon_days,
        "features": len(model.columns),
        "as_of": model.trained_as_of,
        "sharp_rounds": SHARP_ROUNDS,
        "most_rounds": MOST_ROUNDS,
        "patience": PATIENCE,
        "stratum": ", ".join(STRATUM),
        "stratum_spread": SPREAD,
    }
    parameters |= {f"landmarks/{name}": f"{row['first']} to {row['last']}" for name, row in blocks.items()}
    try:
        client.log_batch(
            identifier,
            metrics=[Metric(name, float(value), run.info.start_time, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in parameters.items()],
            tags=[RunTag(FINGERPRINT_TAG, trained.fingerprint), RunTag(VERSION_TAG, model.version)],
        )
        client.log_artifacts(identifier, str(home.models / model.version), "model")
    except BaseException:
        # Ctrl-C too: a run that nobody goes on with must not look as if somebody did.
        client.set_terminated(identifier, "KILLED")
        raise
    client.set_terminated(identifier)
    try:
        client.create_registered_model(NAME)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {VERSION_TAG: model.version, FINGERPRINT_TAG: trained.fingerprint, TWIN: f"{trained.twin.version} {_seen(trained)}"}
    client.create_model_version(NAME, f"{run.info.artifact_uri}/model", run_id=identifier, tags=tags)


def _fetch(home: Home, number: str, folder: Path) -> None:
    import shutil

    client = client_of(home)
    from mlflow.exceptions import MlflowException

    run = client.get_run(client.get_model_version(NAME, number).run_id)
    try:
        kept = Path(client.download_artifacts(run.info.run_id, "model"))
        write_whole_folder(folder, lambda part: shutil.copytree(kept, part, dirs_exist_ok=True))
    except (MlflowException, OSError) as error:
        what = f"The model in {folder} is gone, and so are MLflow's files of it in {home.mlruns}."
        raise NoModelError(what, "Bring back models/ or mlruns/ from a backup, or train again.") from error


def _catalogue() -> list[dict[str, str | int]]:
    return [
        {"name": f.name, "unit": f.unit, "meaning": f.meaning, "null": f.null_means, "group": f.group, "monotone": f.monotone}
        for f in FEATURES.values()
    ]
