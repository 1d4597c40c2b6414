"""Inputs of XPOT 1.x: ranges, paths, script and old sweep."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from xpot_v1.dimensions import fill, find
from xpot_v1.importer import XpotImporter, recognises

from xpot_core.api import InputError, NoOptions
from xpot_core.plugins.registry import load_registry
from xpot_core.study_file.schema import StudyConfig

SNAP = """{
    # unquoted words, comments and missing commas are hjson
    xpot: {
        fitting_executable: fitsnap3
        project_name: opt
        sweep_name: first sweep
        error_method: mae
        alpha: "0.75"
        training_data: ../../../data/train.xyz
        validaton_data: ../../../data/valid.xyz
        xval_sets: 1
        mpi: 4
    }
    "[BISPECTRUM]": {
        numTypes: 2
        twojmax: skopt.space.Integer(4, 8)
        rcutfac: "skopt.space.Real(3,6)"
        rfac0: skopt.space.Real(0.5, 1.5, prior="uniform")
        type: P In
        wj: [1.0, "skopt.space.Real(0.5, 1.5)"]
        quadraticflag: skopt.space.Categorical([0, 1])
        chemflag: ""
    }
    "[CALCULATOR]": {"calculator": "LAMMPSSNAP", "stress": 1}
    "[GROUPS]": {
        group_sections: ["name", "training_size", "testing_size", "eweight", "fweight", "vweight"]
        group_types: str float float float float float
        BOLTZT: ""
        solid: "1.0 0.0 skopt.space.Real(100,15000) skopt.space.Real(0.1, 500, 'log-uniform') 1.0E-12"
        melt: [1.0, 0.0, 100, 1, "skopt.space.Real(1e-8,1e-6,'log-uniform')"]
        other: 0.0 1.0 20 1 1.0E-12
    }
    "[PATH]": {dataPath: "../../../data"}
    "[SCRAPER]": {scraper: "XYZ"}
}
"""


def load(text, folder, *more):
    (folder / "in.hjson").write_text(text)
    return XpotImporter(NoOptions()).load(" ".join(map(str, (folder / "in.hjson", *more))))


def uniform(low, high, log=False):
    return {"min": low, "max": high, "log": log}


def test_dimensions_become_ranges_with_the_same_prior(tmp_path):
    found = load(SNAP, tmp_path)
    StudyConfig.model_validate(dict(found.study))
    options = found.study["fitter"]["snap"]
    assert options["twojmax"] == uniform(4, 8)
    assert isinstance(options["twojmax"]["min"], int)
    assert options["rcutfac"] == uniform(3.0, 6.0)
    assert options["rfac0"] == uniform(0.5, 1.5)
    assert options["wj"] == {"P": 1.0, "In": uniform(0.5, 1.5)}
    assert options["quadratic"] == {"choices": [False, True]}
    assert options["eweight"] == {"solid": uniform(100.0, 15000.0), "melt": 100.0}
    assert options["fweight"] == {"solid": uniform(0.1, 500.0, log=True), "melt": 1.0}
    # per bar there, per GPa here
    assert options["vweight"]["melt"] == pytest.approx(uniform(1e-4, 1e-2, log=True))
    assert found.study["study"] == "first-sweep"
    assert found.study["loss"] == {"energy-force": {"alpha": 0.75, "measure": "mae"}}
    assert found.study["data"]["train"] == "data/train.xyz"
    assert found.study["data"]["validation"] == "data/valid.xyz"
    notes = "\n".join(found.notes)
    assert "xpot.mpi = 4 has no effect here" in notes
    assert "xval_sets" not in notes


def test_data_are_found_from_where_the_programs_ran(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("solid", "melt", "other", "valid"):
        atoms = Atoms("InP", [[0, 0, 0], [2.5, 0, 0]], cell=[6, 6, 6], pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=np.zeros((2, 3)))
        write(tmp_path / "data" / f"{name}.xyz", [atoms] * 2, format="extxyz")
    data = load(SNAP, tmp_path).study["data"]
    train = read(tmp_path / data["train"], ":")
    assert [a.info["config_type"] for a in train] == ["solid"] * 2 + ["melt"] * 2
    assert "test" not in data  # the group that is only tested does not become one
    valid = read(tmp_path / data["validation"], ":")
    assert valid[0].info[data["keys"]["energy"]] == -3.0
    assert data["keys"]["forces"] in valid[0].arrays


def test_script_and_old_sweep(tmp_path):
    text = SNAP.replace("skopt.space.Categorical([0, 1])", "0")
    (tmp_path / "run.py").write_text(
        'from xpot.models import SNAP\nkwargs = {"n_initial_points": 7, "initial_point_generator": "hammersly"}\n'
        "n_calls = 40\nopt = NamedOptimiser(mlip.optimisation_space, mlip.sweep_path, kwargs)\n"
    )
    head = "iteration,loss,[BISPECTRUM] twojmax,[BISPECTRUM] rcutfac,[BISPECTRUM] rfac0,[BISPECTRUM] wj 1,"
    head += "[GROUPS] solid 2,[GROUPS] solid 3,[GROUPS] melt 4"
    (tmp_path / "parameters.csv").write_text(f"{head}\n1,0.3,6,4.5,1.0,1.1,200.0,2.0,1e-7\n")
    study = load(text, tmp_path, tmp_path / "run.py", tmp_path / "parameters.csv").study
    design = {"loss_scale": "linear", "initial": 7, "initial_design": "hammersly"}
    assert study["optimizer"] == {"skopt-gp": design}
    assert study["budget"] == {"trials": 40}
    assert study["seed"] == 42
    with (tmp_path / study["prior"][0]).open(newline="") as file:
        (row,) = csv.DictReader(file)
    found = {name: float(value) for name, value in row.items()}
    expected = {"loss": 0.3, "twojmax": 6, "rcutfac": 4.5, "rfac0": 1.0, "wj.In": 1.1}
    expected |= {"eweight.solid": 200.0, "fweight.solid": 2.0, "vweight.melt": 1e-3}
    assert found == pytest.approx(expected)
    (tmp_path / "parameters.csv").write_text("iteration,loss,cutoff\n1,10,6.38\n")
    with pytest.raises(InputError, match="has no column"):
        load(text, tmp_path, tmp_path / "parameters.csv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Real(3,6)", "Real(6,3)", "must end above"),
        ("Real(3,6)", "Real(3,x)", "is no dimension of scikit-optimize"),
        ('"[BISPECTRUM]"', '"[POLYNOMIAL]"', "no program that can be translated"),
        ("xpot: {", "xpots: {", "no block xpot"),
        ("rfac0:", "rfac:", "BISPECTRUM.rfac"),
        ('chemflag: ""', "switchinnerflag: skopt.space.Categorical([0, 1])", "whether there is a"),
    ],
)
def test_what_cannot_be_translated_is_named(old, new, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load(SNAP.replace(old, new), tmp_path)


def test_every_expression_is_found_in_its_place():
    tree = yaml.safe_load(
        "a: {b: [1, 'skopt.space.Real(1,2)'], c: '1 Integer(1, 5) x skopt.space.Real(2, 3)'}"
    )
    assert [(" ".join(d.place), d.values, d.whole) for d in find(tree)] == [
        ("a b 1", (1.0, 2.0), False),
        ("a c 1", (1, 5), True),
        ("a c 3", (2.0, 3.0), False),
    ]
    values = iter([1.5, 4, 2.5])
    assert fill(tree, lambda: next(values)) == {"a": {"b": [1, 1.5], "c": "1 4 x 2.5"}}
    assert not recognises(str(Path(__file__)))


@pytest.mark.skipif("pacemaker" not in load_registry().names("importer"), reason="needs xpot-ace")
def test_sections_of_pacemaker_go_to_its_importer(tmp_path):
    text = """{
        "xpot": {"fitting_executable": "pacemaker", "sweep_name": "ace"}
        "cutoff": 6
        "data": {"filename": "train.pckl.gzip"}
        "potential": {"elements": ["Cu"], "embeddings": {"ALL": {"npot": "FinnisSinclairShiftedScaled",
            "fs_parameters": [1, 1, 1, "skopt.space.Real(0.1, 2)"], "ndensity": 2}}}
        "fit": {"loss": {"kappa": "auto"}}
    }"""
    with pytest.raises(InputError, match="potential"):  # ACE here is linear
        load(text, tmp_path)


@pytest.mark.skipif("gap-fit" not in load_registry().names("importer"), reason="needs xpot-gap")
def test_sections_of_gap_fit_go_to_its_importer(tmp_path):
    text = """{
        "xpot": {"fitting_executable": "gap_fit", "sweep_name": "gap", "alpha": 0.5}
        "at_file": "train.xyz"
        "gap": {
            "distance_2b": {"cutoff": "skopt.space.Real(4,7)", "n_sparse": 15, "delta": 2.0, "theta_uniform": 1.0,
                "covariance_type": "ard_se", "config_type_n_sparse": ""}
        }
        "default_sigma": ["skopt.space.Real(0.001, 0.1, 'log-uniform')", 0.2, 0.0, 0.0]
        "config_type_sigma energy": ""
        "e0": "0.0", "rnd_seed": "6", "energy_parameter_name": "energy"
    }"""
    study = load(text, tmp_path).study
    StudyConfig.model_validate(dict(study))
    gap = study["fitter"]["gap"]
    assert gap["descriptors"][0]["distance_2b"]["cutoff"] == uniform(4.0, 7.0)
    assert gap["sigma_energy"] == uniform(0.001, 0.1, log=True)
    assert gap["sigma_force"] == 0.2
    assert study["seed"] == 5
