"""A simulated territory lived night after night: lists by a trained model, advisors who answer in the inbox, an experiment, and its pages.

The service in HOME must have been trained before the first night (vigie simulate, ingest, train). Advisors are simulated: each working day
they open their list and write down what came of some of the calls. What they write reaches the next night as in a real service, but moves
nobody in the simulated deliveries: here the list's true effect on dropout is zero, and its effect on being spoken with is not.

    python benchmarks/lived.py home --from 2026-01-05 --to 2026-03-30
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alerts.cases import CaseStore
from alerts.cases.access import User, log_in, new_link, session_of
from alerts.cases.acts import Answer, act
from alerts.cases.desk import today
from pipelines.experiments import analyse_experiment, freeze_plan
from pipelines.service import open_service
from pipelines.steps import Directly, run_night
from vigie.settings import ROOT, Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from pipelines.service import Service

ANSWERED = 0.6
"""Share of the people on a list of whom something is written down that day."""
ANSWERS = {
    "reached": 0.36,
    "no_answer": 0.28,
    "appointment_set": 0.12,
    "barrier_referred": 0.07,
    "mediation": 0.05,
    "already_known": 0.05,
    "wrong_details": 0.04,
    "not_relevant": 0.03,
}
FRIDAY = 4
PLAN = """
title = "Répétition : la liste fait-elle joindre davantage ?"
question = "Être placé sur la liste dès la nuit où le risque atteint la limite change-t-il l'abandon dans les 28 jours ?"
decided_by = "répétition sur un territoire simulé"
unit = "learner"
design = "individual"
population = "at_risk"
minimum_risk = 0.05
strata = ["territory_id"]
block_size = 4
seed = 20260105
start = {start}
end = {end}
secondary = ["attended_share", "spoken_with"]
horizon_days = 28
expected_effect = -0.03
arms = [{{name = "liste différée", treatment = "held_out", share = 0.5}}, {{name = "liste habituelle", treatment = "usual", share = 0.5}}]
"""


def main() -> None:
    """Live the nights, then analyse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--from", dest="first", type=dt.date.fromisoformat, required=True, help="first night")
    parser.add_argument("--to", dest="last", type=dt.date.fromisoformat, required=True, help="last night")
    parser.add_argument("--missed", type=dt.date.fromisoformat, nargs="*", default=[], help="nights that do not run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after the night under way then; the next run goes on")
    asked = parser.parse_args()
    config = asked.home / "config"
    if not config.exists():
        shutil.copytree(ROOT / "config", config)
    entered_by = asked.last - dt.timedelta(days=36)
    text = PLAN.format(start=asked.first, end=entered_by)
    (config / "experiments" / "repetition.toml").write_text(text, encoding="utf-8")
    service = open_service(Settings(home=asked.home, config=config))
    freeze_plan(service, "repetition", rehearsal=True)
    nights = [asked.first + dt.timedelta(days=n) for n in range((asked.last - asked.first).days + 1)]
    users: dict[str, User] = {}
    started = time.monotonic()
    for night in nights:
        if night in asked.missed or (service.home.out(night) / "night.json").exists():
            continue
        if time.monotonic() - started > asked.seconds:
            print(f"Stopped before the night of {night}: run again to go on.")
            return
        account = run_night(service, night, Directly())
        written = live_day(service, night + dt.timedelta(days=1), users, asked.seed)
        print(f"{night}: {account['enrolments_scored']} scored, {written} answers", flush=True)
    print(*analyse_experiment(service, "repetition", asked.last, interim=False), sep="\n")


def live_day(service: Service, day: dt.date, users: dict[str, User], seed: int) -> int:
    """Advisors answer on `day`, at their own pace; nobody does on a week-end. Returns how many answers were written down."""
    if day.weekday() > FRIDAY:
        return 0
    rng = np.random.default_rng([seed, day.toordinal()])
    morning = dt.datetime.combine(day, dt.time(9), dt.UTC)
    written = 0
    with CaseStore(service.cases_url) as cases:
        for email in cases.advisors().sort("advisor_id")["email"]:
            user = users.get(email) or _come_in(cases.engine, email, morning)
            if user is None:
                continue
            users[email] = user
            for alerts in today(cases.engine, user, day).people:
                # Drawn for everybody, so that the same seed means the same advisors whatever the list.
                luck, code, minutes = rng.random(), rng.choice(list(ANSWERS), p=list(ANSWERS.values())), int(rng.integers(480))
                answer = Answer(str(code), barrier="mobility" if code == "barrier_referred" else None)
                at = morning + dt.timedelta(minutes=minutes)
                if luck < ANSWERED and act(cases.engine, user, alerts[0].enrolment_id, answer, at):
                    written += 1
    return written


def _come_in(engine: Engine, email: str, at: dt.datetime) -> User | None:
    token = new_link(engine, email, at)
    secret = log_in(engine, token, at) if token else None
    session = session_of(engine, secret, at) if secret else None
    return session.user if session else None


if __name__ == "__main__":
    main()
