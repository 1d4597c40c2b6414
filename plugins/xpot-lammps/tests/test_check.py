"""What a test needs from the data is looked for before a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from lammps_cases import DIAMOND
from xpot_lammps.structures.options import StructureOptions
from xpot_lammps.structures.start import starting_structure
from xpot_lammps.validators.dimer import DimerOptions, DimerValidator

from xpot_core.api import CheckedValidator, Frame, InputError
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


def _liquid() -> Atoms:
    atoms = bulk("Si", cubic=True) * (2, 1, 1)
    return Atoms("Si16", np.random.default_rng(1).random((16, 3)), cell=atoms.cell, pbc=True)


def _thermal() -> Atoms:
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.01, seed=2)
    return atoms


@pytest.mark.parametrize(
    ("atoms", "force", "refusal"),
    [
        (Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]), 0.0, "it is not periodic"),
        (_liquid(), 1.5, "it repeats no smaller cell, and has forces up to 1.5 eV/Å"),
        (_liquid(), 0.01, ""),
        (_thermal(), 1.5, ""),
        (bulk("Si"), 0.0, ""),
    ],
    ids=["cluster", "liquid", "relaxed glass", "thermal crystal", "crystal"],
)
def test_the_panel_tests_crystals_only(atoms: Atoms, force: float, refusal: str) -> None:
    """A snapshot of a liquid or a cluster has no lattice constant, and its phonons refuse sound potentials."""
    forces = np.zeros((len(atoms), 3))
    forces[0, 0] = force
    frames = (Frame(atoms, -5.0 * len(atoms), forces, None, "all", "made#0", "id0"),)
    options = StructureOptions(primitive=True, most_atoms=20, crystal_only=True)
    if refusal:
        with pytest.raises(InputError, match=f"no crystal: {refusal}"):
            starting_structure(options, ["Si"], frames, relaxed=True)
    else:
        assert len(starting_structure(options, ["Si"], frames, relaxed=True)) in (2, 16)
