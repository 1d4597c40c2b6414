"""Every field of a trial survives the store, also in the layout of an older xpot."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xpot_core.errors import DamagedStoreError
from xpot_core.store.row_checksums import prepare, seal
from xpot_core.store.store import Store
from xpot_core.types.trials import InnerSearchResult, Origin, Request, Trial, TrialResult, TrialState
from xpot_core.types.validating import ValidatorRow

INNER = InnerSearchResult({"w": 2.0}, 0.4, "gradient", 2, "converged", 12, [[0.4, None], [0.3, 0.5]])
ROWS = (
    ValidatorRow("dimer", None, True, "smooth", {"holes": 0.0}),
    ValidatorRow("lammps-md", {"steps": 10}, None, "broke", tables={"t": {"x": [1.0, None]}}),
)
OLD_EXTRA = {
    "inner": INNER.to_json(),
    "solver": "qr",
    "validators": [{"validator": "dimer", "passed": False, "summary": "hole", "values": {"holes": 1.0}}],
    "loss": 0.25,
    "prior": {"study": "older", "trial": 3},
    "other_data": True,
    "promoted_from": 1,
    "inner_start": {"w": 1.0},
}


def test_a_result_comes_back_as_it_was(store: Store) -> None:
    (trial,) = store.add([{"a": 1}], "sobol", [Request(0.5, 7, {"w": 1.0})], running=True)
    assert (trial.fidelity, trial.promoted_from, trial.inner_start) == (0.5, 7, {"w": 1.0})
    result = TrialResult(
        0,
        TrialState.INFEASIBLE,
        refused_loss=0.3,
        inner=INNER,
        validators=ROWS,
        metadata={"solver": "qr", "loss": 5, "inner": "of the fitter", "fidelity": "high"},
    )
    assert TrialResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    (after,) = store.finish(result)
    assert after.values == {"a": 1, "w": 2.0}
    for name in ("refused_loss", "inner", "validators", "metadata"):
        assert getattr(after, name) == getattr(result, name)
    assert (after.fidelity, after.promoted_from, after.inner_start) == (0.5, 7, {"w": 1.0})


def test_a_trial_of_an_earlier_study_comes_back_as_it_was(store: Store) -> None:
    trial = Trial(
        0,
        TrialState.COMPLETE,
        {"a": 1},
        loss=0.5,
        from_prior=True,
        origin=Origin("older", 3, other_data=True),
        promoted_from=2,
        metadata={"rank": 4},
    )
    store.adopt([trial], {})
    assert replace(store.trial(0), started=None, finished=None) == trial
    assert not store.trial(0).comparable


def write_row(path: Path, extra: dict[str, Any], state: str) -> None:
    """A row as an older xpot wrote it."""
    result = {"objectives": [], "parts": {}, "errors": {}, "seconds": {}, "failure": None, "extra": extra}
    with contextlib.closing(sqlite3.connect(path)) as db:
        prepare(db)
        request = json.dumps({"from_prior": True, "fidelity": None})
        db.execute(
            "UPDATE trials SET result = ?, request = ?, state = ?", (json.dumps(result), request, state)
        )
        seal(db, "trials")
        db.commit()


def test_a_row_of_an_older_xpot_is_read(store: Store) -> None:
    store.add([{"a": 1}], "prior")
    write_row(store.path, OLD_EXTRA, "INFEASIBLE")
    trial = store.trial(0)
    assert trial.inner == INNER
    assert [row.summary for row in trial.validators] == ["hole"]
    assert trial.refused_loss == 0.25
    assert trial.origin == Origin("older", 3, other_data=True)
    assert (trial.promoted_from, trial.inner_start) == (1, {"w": 1.0})
    assert trial.metadata == {"solver": "qr"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inner", {"values": {}}),
        ("inner", {**INNER.to_json(), "values": {"w": "x"}}),
        ("validators", [{"validator": "dimer", "passed": True, "colour": "red"}]),
        ("validators", {"dimer": True}),
        ("loss", "low"),
        ("prior", {"study": "older"}),
        ("promoted_from", "a"),
    ],
)
def test_parts_that_no_trial_writes_are_damage(store: Store, name: str, value: Any) -> None:
    store.add([{"a": 1}], "prior")
    write_row(store.path, {name: value}, "COMPLETE")
    with pytest.raises(DamagedStoreError, match=name):
        store.trial(0)
