"""What a study hands over: the model, a script, LAMMPS' file, and a training that redoes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from mace_cases import TINY, train
from xpot_mace.export import export
from xpot_mace.options import MaceOptions
from xpot_mace.potential.calculator import calculator
from xpot_mace.run_train.importer import MaceImporter

from xpot_core.api import ExportRequest, FittedPotential, NoOptions
from xpot_core.testing.frames import frames, training_data


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FittedPotential, dict[str, str]]:
    folder = tmp_path_factory.mktemp("exported")
    data = training_data(frames())
    potential = train(folder, data, held=(), loss="stress", max_num_epochs=2)
    written = export(
        ExportRequest(potential, folder, MaceOptions(**{**TINY, "loss": "stress", "max_num_epochs": 2}), data)
    )
    return folder, potential, written


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_all_that_is_named_is_there(exported: tuple[Path, FittedPotential, dict[str, str]]) -> None:
    folder, _, written = exported
    for name in written:
        assert (folder / name).is_file(), name
    assert "mace.model-lammps.pt" in written
    assert "pair_coeff * * mace.model-lammps.pt Si" in (folder / "in.lammps").read_text()


def test_the_script_needs_mace_alone_and_agrees(
    exported: tuple[Path, FittedPotential, dict[str, str]],
) -> None:
    """Run outside of XPOT, with mace's own calculator."""
    folder, potential, _ = exported
    lines = run(sys.executable, "-W", "ignore", "ase_calculator.py", cwd=folder).splitlines()
    from ase.io import read

    atoms = read(folder / "structure.xyz")
    atoms.calc = calculator(potential)
    assert float(lines[-2].split()[1]) == pytest.approx(atoms.get_potential_energy(), abs=2e-6)
    assert float(lines[-1].split()[2]) == pytest.approx(abs(atoms.get_forces()).max(), abs=2e-6)


def test_the_training_is_redone_by_mace_alone(
    exported: tuple[Path, FittedPotential, dict[str, str]], tmp_path: Path
) -> None:
    """mace_run_train accepts configuration and structures, and comes to a model; ours is read back as it was."""
    folder, _, _ = exported
    run(
        *(sys.executable, "-W", "ignore", "-m", "mace.cli.run_train", "--config", "config.yaml"),
        *("--work_dir", tmp_path, "--plot", "False", "--max_num_epochs", 2),
        cwd=folder,
    )
    assert (tmp_path / "mace.model").is_file()
    study = MaceImporter(NoOptions()).load(str(folder / "config.yaml")).study
    found = MaceOptions(**study["fitter"]["mace"]).model_dump()
    expected = MaceOptions(**{**TINY, "loss": "stress", "max_num_epochs": 2}).model_dump()
    ours = ("E0s", "seed", "config_type_weights")
    assert {k: v for k, v in found.items() if k not in ours} == {
        k: v for k, v in expected.items() if k not in ours
    }
    assert yaml.safe_load((folder / "config.yaml").read_text())["stress_key"] == "REF_stress"


def test_a_study_with_rungs_trains_no_epoch_twice(tmp_path: Path) -> None:
    """Promoted trials go on; the winner's potential is exported."""
    import xpot_core as xpot
    from xpot_core.testing.frames import write_frames

    write_frames(tmp_path / "train.xyz", frames())
    study = {
        "study": "rungs",
        "data": {"train": str(tmp_path / "train.xyz"), "validation": {"fraction": 0.25}},
        "fitter": {"mace": {**TINY, "lr": {"min": 0.01, "max": 0.1, "log": True}, "max_num_epochs": 4}},
        "fidelity": {"option": "max_num_epochs", "rungs": [2]},
        "optimizer": "random",
        "budget": {"trials": 4},
        "executor": "serial",
    }
    opened = xpot.run(study, runs=tmp_path / "runs", progress=False)
    trials = opened.results.trials
    assert all(t.state == "COMPLETE" for t in trials), [t.failure for t in trials]
    promoted = [t for t in trials if t.promoted_from is not None]
    assert promoted
    for trial in promoted:
        assert [point.step for point in trial.curve] == [3, 4]
    assert opened.best is not None
    assert np.isfinite(opened.best.loss)
