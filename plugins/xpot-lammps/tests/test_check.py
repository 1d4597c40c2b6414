"""What a test needs from the data is looked for before a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lammps_cases import DIAMOND
from xpot_lammps.validators.dimer import DimerOptions, DimerValidator

from xpot_core.api import CheckedValidator, InputError
from xpot_core.deliver.validate_finished import run_tests
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.testing.frames import frames, write_frames


def study(folder: Path, **changes: Any) -> Study:
    write_frames(folder / "train.xyz", frames())
    raw = {
        "study": "checked",
        "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
        "fitter": {"numpy-pair": {"cutoff": {"min": 3.0, "max": 5.0}}},
        "optimizer": "random",
        "budget": {"trials": 1},
        **changes,
    }
    return Study(study_from_dict(raw, str(folder)), folder / "runs")


FAULTS = [
    ("lammps-md", {"structure": {"group": "nowhere"}}, "structure.group = 'nowhere': is no group"),
    ("lammps-md", {"structure": {"frame": 4000}}, "structure.frame = 4000: there are"),
    ("lammps-md", {"structure": {"file": "no.xyz"}}, "structure.file = '/.*/no.xyz': cannot be read"),
    ("lammps-speed", {"structure": {"frame": -4000}}, "structure.frame = -4000"),
    ("lammps-melt-quench", {"randomise": False, "structure": {"frame": 4000}}, "structure.frame = 4000"),
    ("lammps-melt-quench", {"species": "Pu"}, "species = 'Pu': the potential does not know Pu"),
    ("elastic", {"structure": {**DIAMOND, "species": "Pu"}}, "structure: the structure holds Pu"),
    ("phonons", {"structure": {"crystal": "rocksalt", "species": "Si"}}, "structure.crystal = 'rocksalt'"),
    ("equation-of-state", {"reference_group": "no"}, "reference_group = 'no': is no group"),
    ("vacancy", {"site": 99}, "site = 99: the cell has"),
    ("vacancy", {"structure": {"group": "nowhere"}}, "structure.group = 'nowhere'"),
]


@pytest.mark.parametrize(("name", "options", "message"), FAULTS)
@pytest.mark.parametrize("key", ["constraints", "validate"])
def test_faults_are_told_before_the_search(
    tmp_path: Path, key: str, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=f"{key}.0.{name}.{message}"):
        study(tmp_path, **{key: [{name: options}]})
    assert not (tmp_path / "runs").exists()


def test_faults_are_told_before_a_test_of_a_trial(tmp_path: Path) -> None:
    done = study(tmp_path)
    done.run()
    results = StudyResults.open(done.directory)
    with pytest.raises(InputError, match=r"--with.0.lammps-md.structure.group = 'nowhere'"):
        run_tests(results, "best", [{"lammps-md": {"structure": {"group": "nowhere"}}}])
    assert not (done.directory / "tests").exists()


def test_paths_start_from_the_study_file(tmp_path: Path) -> None:
    write_frames(tmp_path / "start.xyz", frames()[:1])
    assert study(tmp_path, constraints=[{"lammps-md": {"structure": {"file": "start.xyz"}}}])
    assert not isinstance(DimerValidator(DimerOptions()), CheckedValidator)
