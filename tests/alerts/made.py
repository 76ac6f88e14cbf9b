from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.tables.outputs import Alerts

if TYPE_CHECKING:
    import datetime as dt


def risk_alerts(as_of: dt.date, *names: str) -> pl.DataFrame:
    rows = [
        {
            "alert_id": f"dropout_risk/{name}/{as_of}",
            "as_of": as_of,
            "kind": "dropout_risk",
            "enrolment_id": name,
            "learner_id": name,
            "advisor_id": "A",
            "queue": "owner",
            "rank": place,
            "priority": 0.1,
            "risk": 0.1,
            "reasons": [],
            "suggested_action": "take_stock",
            "due_on": as_of,
            "opened_on": as_of,
            "state": "new",
        }
        for place, name in enumerate(names, 1)
    ]
    return Alerts.validate(pl.DataFrame(rows, schema={name: column.dtype for name, column in Alerts.columns().items()}), cast=True)
