"""Physical tests run with the model in LAMMPS, which knows nothing of it: by ``fix external``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mace_cases import TINY

import xpot_core as xpot
from xpot_core.testing.frames import frames, write_frames

pytest.importorskip("xpot_lammps")


def test_a_study_says_how_stable_its_potential_is_and_what_it_costs(tmp_path: Path) -> None:
    write_frames(tmp_path / "train.xyz", frames())
    dynamics: dict[str, Any] = {
        "structure": {"crystal": "diamond", "species": "Si", "a": 5.0},
        "ensemble": "nve",
        "temperature": 10,
        "equilibration": 2,
        "steps": 6,
        "min_atoms": 8,
    }
    speed = {"structure": dynamics["structure"], "min_atoms": 8, "steps": 2, "min_seconds": 0, "repeats": 1}
    study = {
        "study": "md",
        "data": {"train": str(tmp_path / "train.xyz"), "validation": {"fraction": 0.25}},
        "fitter": {"mace": {**TINY, "max_num_epochs": 2, "lr": {"min": 0.01, "max": 0.1}}},
        "optimizer": "random",
        "budget": {"trials": 1},
        "executor": "serial",
        "validate": [{"lammps-md": dynamics}, {"lammps-speed": speed}],
    }
    opened = xpot.run(study, runs=tmp_path / "runs", progress=False)
    assert opened.results.final is not None
    cost, stable = opened.results.final["validators"]  # the cheaper one first
    assert (cost["validator"], stable["validator"]) == ("lammps-speed", "lammps-md")
    assert stable["values"]["stable_ps"] > 0.0
    assert cost["values"]["relative_cost"] > 1.0
