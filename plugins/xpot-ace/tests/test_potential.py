"""Potentials: what is written is what was fitted, for python-ace, pacemaker, ASE and LAMMPS."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ace_cases import SMALL
from ase.io import read
from pydantic import ValidationError
from xpot_ace.calculator import AceCalculator
from xpot_ace.descriptors.backend import pyace
from xpot_ace.export import export
from xpot_ace.fitter import AceFitter
from xpot_ace.options import AceOptions
from xpot_ace.predictor import AcePredictor
from xpot_ace.propose import propose
from xpot_linear import predict

from xpot_core.api import ExportRequest, FitRequest, InputError
from xpot_core.cli import main
from xpot_core.plugins.registry import load_registry
from xpot_core.testing.frames import frames, training_data, write_frames

TWO = ("Ge", "Si")


def fitted(folder: Path, elements=TWO, **changes):
    options = AceOptions(**{**SMALL, "ridge": 1e-10, **changes})
    request = FitRequest(options, training_data(frames(elements)), folder)
    fitter = AceFitter()
    design = fitter.prepare(request)
    return design, design.fit(options, directory=folder), options


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"functions": {"Ge": 10, "Si": 30}},
        {"functions_used": {"Ge": 20, "Si": 9}},
        {"radbase": "SBessel"},
        {"radbase": "ChebPow", "bonds": [{"pair": ["Ge", "Si"], "cutoff": 3.6, "radparameters": 2.0}]},
        {"r_in": 2.2, "delta_in": 0.4},
        {"inner_cutoff_type": "density"},
    ],
)
def test_the_potential_gives_what_rows_and_coefficients_give(tmp_path, changes):
    design, potential, options = fitted(tmp_path, **changes)
    chosen = frames(TWO)[:5]
    model = design.model(design.solution(options))
    expected = predict(design.problem.basis, model, chosen)
    found = AcePredictor().predict(potential, chosen, directory=tmp_path)
    assert np.allclose(found.energies, expected.energies, rtol=0, atol=1e-8)
    for a, b in zip(found.forces, expected.forces, strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-8)
    assert np.allclose(found.virials, expected.virials, rtol=0, atol=1e-7)


def test_functions_without_coefficient_are_not_in_the_potential(tmp_path):
    _, potential, _ = fitted(tmp_path, functions_used=10)
    assert potential.metadata["functions"] == {"Ge": 10, "Si": 10}
    assert potential.path("potential").read_text().count("- {mu0: ") == 20


def test_constants_are_in_the_potential(tmp_path):
    _, potential, _ = fitted(tmp_path, energy_shift={"Ge": -3.0, "Si": -2.0}, constant=False)
    assert potential.path("potential").read_text().startswith("elements: [Ge, Si]\nE0: [-3, -2]\n")
    assert potential.metadata["constants"] == {"Ge": -3.0, "Si": -2.0}


def test_python_ace_and_pacemaker_read_the_files(tmp_path):
    """The .yace as python-ace's calculator has it, the .yaml as pacemaker continues from it."""
    _, potential, _ = fitted(tmp_path)
    chosen = frames(TWO)[0].atoms.copy()
    found = AcePredictor().predict(potential, frames(TWO)[:1], directory=tmp_path)
    chosen.calc = pyace().PyACECalculator(str(potential.path("potential")))
    assert chosen.get_potential_energy() == pytest.approx(found.energies[0], abs=1e-9)
    assert np.allclose(chosen.get_forces(), found.forces[0], rtol=0, atol=1e-9)
    chosen.calc = pyace().PyACECalculator(str(potential.path("basis")))
    constants = sum(potential.metadata["constants"][s] for s in chosen.symbols)
    assert chosen.get_potential_energy() + constants == pytest.approx(found.energies[0], abs=1e-9)
    configuration = pyace().BBasisConfiguration(str(potential.path("basis")))
    assert configuration.validate(raise_exception=True) is not False


def test_a_potential_may_be_spoilt(tmp_path):
    (tmp_path / "x.yace").write_text("elements: [Si]\n")
    with pytest.raises(InputError, match="cannot read it"):
        AceCalculator(tmp_path / "x.yace")


def test_the_export_runs_in_ase_and_has_an_input_for_lammps(tmp_path):
    _, potential, options = fitted(tmp_path)
    data = training_data(frames(TWO))
    written = export(ExportRequest(potential, tmp_path, options, data))
    assert set(written) == {
        "ase_calculator.py",
        "structure.xyz",
        "in.lammps",
        "structure.data",
        "pacemaker/input.yaml",
        "pacemaker/data.xyz",
    }
    said = subprocess.run(
        [sys.executable, "ase_calculator.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    atoms = read(tmp_path / "structure.xyz")
    atoms.calc = AceCalculator(potential.path("potential"))
    assert f"energy {atoms.get_potential_energy():.6f} eV" in said
    include = potential.path("include").read_text()
    assert "pair_style pace\npair_coeff * * ${potential_dir}/GeSi.yace Ge Si\n" in include
    lines = (tmp_path / "in.lammps").read_text()
    assert "include GeSi.mod" in lines
    assert "mass 1 72.6" in lines


def test_options_that_contradict_are_refused():
    with pytest.raises(ValidationError, match="order 3 needs"):
        AceOptions(order=3, nradmax_by_orders=[4, 2], lmax_by_orders=[0, 1])
    with pytest.raises(ValidationError, match="as many entries"):
        AceOptions(nradmax_by_orders=[4, 2], lmax_by_orders=[0])
    with pytest.raises(ValidationError, match="starts with 0"):
        AceOptions(order=1, nradmax_by_orders=[4], lmax_by_orders=[1])
    with pytest.raises(ValidationError, match="twice"):
        AceOptions(bonds=[{"pair": ["Si", "C"]}, {"pair": ["C", "Si"]}])
    with pytest.raises(ValidationError, match="virials is false"):
        AceOptions(virials=False, vweight={"bulk": 0.1})


def test_fewer_functions_cost_no_new_descriptors(tmp_path):
    design, _, options = fitted(tmp_path, functions=40)
    sizes = {}
    for used in (6, 20, 40):
        errors = design.errors(options.model_copy(update={"functions_used": used}))
        sizes[used] = errors.train.total("force").rmse
    assert sizes[6] > sizes[20] > sizes[40]
    direct, _, fewer = fitted(tmp_path, functions=20)
    assert direct.errors(fewer).train.total("force").rmse == pytest.approx(sizes[20], rel=1e-6)


@pytest.mark.slow
def test_a_study_searches_nested_and_delivers(tmp_path, monkeypatch):
    """The whole way: search, refit, report of errors, export."""
    monkeypatch.chdir(tmp_path)
    write_frames(tmp_path / "train.xyz", frames(TWO, 20))
    study = {
        "study": "ace",
        "data": {"train": "train.xyz", "validation": {"kfold": 3}},
        "fitter": {
            "ace": {
                **SMALL,
                "cutoff": {"min": 3.5, "max": 4.5},
                "functions_used": {"min": 5, "max": 30},
                "eweight": "tune",
                "ridge": {"min": 1e-12, "max": 1e-4, "log": True},
            }
        },
        "loss": {"energy-force": {"alpha": 0.5}},
        "optimizer": "sobol",
        "search": {"nested": {"iterations": 5}},
        "budget": {"trials": 4},
        "executor": "serial",
        "seed": 1,
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    for command in (["run", "study.yaml"], ["export", "ace", "--to", "out"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert (tmp_path / "out" / "GeSi.yace").is_file()


@pytest.mark.slow
def test_lammps_without_ml_pace_runs_it(tmp_path, monkeypatch):
    """The physical tests of xpot-lammps call python-ace through ``fix external``: stable, cold and hot."""
    if "lammps-md" not in load_registry().names("validator"):
        pytest.skip("xpot-lammps is not installed")
    monkeypatch.chdir(tmp_path)
    silicon = Path(__file__).parents[3] / "examples" / "silicon"
    study = yaml.safe_load((silicon / "ace.yaml").read_text())
    study["data"] |= {"train": str(silicon / "silicon_train.xyz"), "test": str(silicon / "silicon_test.xyz")}
    study |= {"budget": {"trials": 1}, "executor": "serial", "optimizer": "sobol"}
    study["fitter"]["ace"] |= {"cutoff": 5.0, "functions_used": 100}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    runs = [f"lammps-md: {{temperature: {kelvin}, steps: 500}}" for kelvin in (300, 1500)]
    for command in (["run", "study.yaml"], *(["validate", "silicon-ace", "--with", run] for run in runs)):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0


def test_what_is_proposed_goes_with_the_data():
    one = propose(elements=("Si",), frames=200, atoms=3000, neighbour=2.4)
    two = propose(elements=("In", "P"), frames=200, atoms=3000, neighbour=math.nan)
    assert one == {
        "functions": 460,
        "inner_cutoff_type": "zbl",
        "r_in": 1.2,
        "delta_in": 0.36,
        "core_repulsion": [1.0, 1.0],
    }
    assert two == {"functions": {"In": 230, "P": 230}}
    AceOptions(**one)
    AceOptions(**two)
