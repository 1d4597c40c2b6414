"""Of large sets the rows of the fit tell the errors; the potential is run on a part and must agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read, write
from xpot_linear import LinearDesign

from xpot_core.study_file.read import study_from_dict
from xpot_core.trial import known_predictions
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner


@pytest.fixture
def runner(tmp_path: Path) -> TrialRunner:
    images = []
    for number in range(12):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.1, seed=number)
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = None
        if number != 5:
            atoms.info["REF_energy"] = energy
        if number != 7:
            atoms.arrays["REF_forces"] = forces
        atoms.info["REF_virial"] = np.eye(3).ravel() * number
        images.append(atoms)
    write(tmp_path / "train.xyz", images)
    study = {
        "study": "cu",
        "data": {"train": "train.xyz", "validation": {"fraction": 0.2}},
        "fitter": {"snap": {"twojmax": 2, "rcutfac": 4.0, "eweight": 10.0, "vweight": 0.1, "cache": False}},
    }
    return TrialRunner(study_from_dict(study, tmp_path))


def _errors(runner: TrialRunner, folder: Path) -> dict[str, dict[str, float]]:
    tables = final_model(runner, {}, folder, seed=1).errors
    return {name: table.summary()["groups"]["all"] for name, table in tables.items()}


def _runs(runner: TrialRunner, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    predict = runner.predict

    def counted(potential, frames, directory):  # type: ignore[no-untyped-def]
        found.append(len(frames))
        return predict(potential, frames, directory)

    monkeypatch.setattr(runner, "predict", counted)
    return found


def test_errors_from_rows_are_those_of_the_potential(
    runner: TrialRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = _runs(runner, monkeypatch)
    wanted = _errors(runner, tmp_path / "all")
    sizes = list(runs)
    runs.clear()
    monkeypatch.setattr(known_predictions, "MANY", 5)
    monkeypatch.setattr(known_predictions, "_RUN", 2)
    found = _errors(runner, tmp_path / "rows")
    for name, errors in wanted.items():
        assert found[name] == pytest.approx(errors, rel=1e-7, nan_ok=True)
    assert sum(runs) < sum(sizes) / 2
    one, other = (read(tmp_path / f / "predictions-train.xyz", ":") for f in ("all", "rows"))
    for a, b in zip(one, other, strict=True):
        assert b.info["pred_energy"] == pytest.approx(a.info["pred_energy"], abs=1e-7)
        np.testing.assert_allclose(b.arrays["pred_forces"], a.arrays["pred_forces"], atol=1e-7)


def test_a_potential_that_says_otherwise_is_run_on_all(
    runner: TrialRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = _errors(runner, tmp_path / "all")
    right = LinearDesign.predictions

    def wrong(self, options):  # type: ignore[no-untyped-def]
        found = right(self, options)
        return replace(found, energies=found.energies + 0.01)

    monkeypatch.setattr(LinearDesign, "predictions", wrong)
    monkeypatch.setattr(known_predictions, "MANY", 5)
    runs = _runs(runner, monkeypatch)
    assert _errors(runner, tmp_path / "rows") == wanted
    assert max(runs) == len(runner.dataset.sets["train"])
