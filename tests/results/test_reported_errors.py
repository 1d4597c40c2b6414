"""Errors that another program reported, beside those of a fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_cases import Make, toy

from xpot_core.types.importing import EVERY_GROUP, ReportedErrors, ReportedRow

PLUGIN = '''"""Knows files that begin with theirs."""
import numpy as np
from xpot_core.api import EVERY_GROUP, ReportedErrors, ReportedRow, hookimpl

xpot_api_version = 1

@hookimpl
def xpot_reported_errors(request):
    text = request.file.read_text()
    if not text.startswith("theirs"):
        return None
    if request.set != "train":
        return ReportedErrors("by cell", ())
    cells = [e - f.energy for e, f in zip(request.predictions.energies, request.frames)]
    rmse, theirs = float(np.sqrt(np.mean(np.square(cells)))), float(text.split()[1])
    row = ReportedRow(EVERY_GROUP, False, "energy", "eV", len(cells), 1.0, rmse, len(cells) + 1, 1.0, theirs)
    return ReportedErrors("by cell", (row,))
'''


@pytest.fixture
def beside(folder: Path, study: Make) -> Callable[[str], Path]:
    """A study of fixed values with a file of another program's errors."""
    (folder / "knows.py").write_text(PLUGIN)

    def make(text: str) -> Path:
        (folder / "errors.txt").write_text(text)
        reference = [{"label": "Theirs", "file": "errors.txt"}, {"label": "paper", "energy": 3.0}]
        return study({**toy(), "plugins": ["knows.py"], "reference": reference})

    return make


def test_fit_shows_errors_as_the_other_program_counts_them(beside: Any, call: Any) -> None:
    path = beside("theirs 0.5")
    shown = call("fit", path)
    assert shown.status == 0, shown.err
    assert "train, beside Theirs: by cell" in shown.out
    assert "RMSE differ from those of Theirs by" in shown.out
    assert "it does not count the same structures" in shown.out
    content = json.loads(call("fit", path, "--json").out)["reported"]
    row = content[0]["rows"][0]
    n, energy = row["count"], content[0]
    assert (energy["set"], energy["label"], row["reported_rmse"], row["reported_count"]) == (
        "train",
        "Theirs",
        0.5,
        n + 1,
    )
    # all cells of the data have four atoms, so that the error by cell is four times that by atom
    errors = json.loads(call("fit", path, "--json").out)["errors"]["train"]
    assert row["rmse"] * 1000 / 4 == pytest.approx(errors["energy_rmse"])


def test_show_has_them_for_the_winner(beside: Any, call: Any) -> None:
    path = beside("theirs 0.5")
    assert call("run", path, "--trials", 1).status == 0
    out = call("show", path).out
    assert "train, beside Theirs: by cell" in out
    assert "Beside errors from elsewhere" not in out.partition("by cell")[2]


@pytest.mark.parametrize(
    ("text", "told"), [("others", "no plugin here knows what"), (None, "No such file or directory")]
)
def test_a_file_that_nobody_reads_costs_no_fit(
    text: str | None, told: str, beside: Any, call: Any, folder: Path
) -> None:
    path = beside(text or "")
    if text is None:
        (folder / "errors.txt").unlink()
    shown = call("fit", path)
    assert shown.status == 0, shown.err
    assert "errors of Theirs cannot be shown for train" in shown.out
    assert told in shown.out


def test_the_furthest_error_is_no_rounded_zero() -> None:
    def row(group: str, ours: float, theirs: float) -> ReportedRow:
        return ReportedRow(group, False, "force", "eV/Å", 3, ours, ours, 3, theirs, theirs)

    rows = (
        row(EVERY_GROUP, 0.1, 0.1),
        row("still", 4e-15, 2e-15),
        row("hot", 0.2, 0.25),
        row("new", np.nan, 1),
    )
    found = ReportedErrors("", rows)
    furthest = found.furthest()
    assert furthest is not None
    assert (furthest[1].group, furthest[0]) == ("hot", pytest.approx(0.2))
    assert not found.other_structures
    assert ReportedErrors.from_json(json.loads(json.dumps(found.to_json()))).rows[:3] == rows[:3]
    assert ReportedErrors("", ()).furthest() is None
