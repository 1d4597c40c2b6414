"""The way back to pacemaker: what is exported makes the same fit there, and comes back as the same study."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from ace_cases import SHAPE, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st
from xpot_ace.descriptors.backend import pyace
from xpot_ace.fitter import AceFitter
from xpot_ace.nonlinear.job import input_file
from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.importer import PacemakerImporter
from xpot_ace.pacemaker.input_file import study_from_input
from xpot_ace.pacemaker.linear_input import Loss, linear_input
from xpot_ace.pacemaker.native_input import pacemaker_input

from xpot_core.api import ExportRequest, FitRequest, NoOptions
from xpot_core.data.dataset import load_dataset
from xpot_core.study_file.read import study_from_dict
from xpot_core.testing.frames import frames, training_data

TWO = ("Ge", "Si")
FILES = {"pacemaker/input.yaml", "pacemaker/data.xyz"}
# few functions, a ridge that pacemaker has, all weights uneven
FEW: dict[str, Any] = {
    **SMALL,
    "ternary": SHAPE,
    "functions": 8,
    "ridge": 0.0,
    "absolute_ridge": 1e-3,
    "eweight": 30.0,
    "fweight": 2.0,
}


def exported(folder: Path, **changes: Any):
    """A fit, the options, and what became of them."""
    options = AceOptions(**{**FEW, **changes})
    own = [replace(f, weight=1.0 + i % 3) for i, f in enumerate(frames(TWO, 9))]
    data = training_data(own)
    potential = AceFitter().fit(FitRequest(options, data, folder))
    return pacemaker_input(ExportRequest(potential, folder, options, data)), options, data, potential


@pytest.mark.parametrize("changes", [{}, {"functions": {"Ge": 12, "Si": 8}}, {"functions_used": 4}])
def test_the_fit_is_a_minimum_of_pacemakers_loss(tmp_path, changes):
    """pacemaker's own loss of what was exported: its derivatives vanish in every coefficient."""
    written, *_ = exported(tmp_path, **changes)
    assert set(written) == FILES
    folder = tmp_path / "pacemaker"
    content = yaml.safe_load((folder / "input.yaml").read_text())
    table = pd.read_pickle(folder / "data.pckl.gzip", compression="gzip")  # noqa: S301
    assert table["w_energy"].sum() == pytest.approx(1.0)
    assert np.concatenate(list(table["w_forces"])).sum() == pytest.approx(1.0)
    basis = pyace().ACEBBasisSet(str(folder / content["potential"]["filename"]))
    loss = content["fit"]["loss"]

    def value(coefficients):
        basis.basis_coeffs = coefficients
        calculator = pyace().PyACECalculator(basis)
        total = loss["L2_coeffs"] * float(np.square(coefficients).sum())
        for row in table.itertuples():
            atoms = row.ase_atoms.copy()
            atoms.calc = calculator
            energy = (atoms.get_potential_energy() - row.energy_corrected) / len(atoms)
            forces = atoms.get_forces() - row.forces
            total += (1.0 - loss["kappa"]) * row.w_energy * energy**2
            total += loss["kappa"] * float(row.w_forces @ np.square(forces).sum(axis=1))
        return total

    fitted = np.array(basis.basis_coeffs)
    lowest = value(fitted)
    assert lowest > 0.0
    for i in range(len(fitted)):
        step = np.zeros(len(fitted))
        step[i] = 1e-3
        there, back = value(fitted + step), value(fitted - step)
        assert min(there, back) > lowest
        assert abs(there - back) < 1e-4 * (there + back - 2.0 * lowest)


@pytest.mark.slow
def test_pacemaker_runs_it_and_finds_nothing_better(tmp_path):
    _, _, _, potential = exported(tmp_path)
    folder = tmp_path / "pacemaker"
    text = (folder / "input.yaml").read_text().replace("tensorpot", "pyace").replace("2000", "3")
    (folder / "input.yaml").write_text(text)
    command = [sys.executable, "-m", "pyace.cli.pacemaker", "input.yaml", "--no-predict"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    found = pyace().ACEBBasisSet(str(folder / "output_potential.yaml")).basis_coeffs
    expected = pyace().ACEBBasisSet(str(potential.path("basis"))).basis_coeffs
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_import_of_an_export_is_the_same_study(tmp_path, monkeypatch):
    _, options, data, _ = exported(tmp_path, vweight=0.1, smoothness=1.0, ridge=1e-9)
    monkeypatch.chdir(tmp_path / "pacemaker")
    found = PacemakerImporter(NoOptions()).load("input.yaml")
    assert not found.lost
    assert AceOptions(**found.study["fitter"]["ace"]) == options
    comments = [line for line in Path("input.yaml").read_text().splitlines() if line.startswith("#")]
    assert [word for word in ("ridge", "smoothness", "virials") if any(word in c for c in comments)] == [
        "ridge",
        "smoothness",
        "virials",
    ]
    again = load_dataset(study_from_dict(found.study)).data.frames
    for one, two in zip(again, data.frames, strict=True):
        assert (one.group, one.weight) == (two.group, two.weight)
        assert one.energy == pytest.approx(two.energy)


def test_without_energies_there_is_none(tmp_path):
    options = AceOptions(**FEW, constant=False)
    data = training_data([replace(f, energy=None) for f in frames(TWO, 6)])
    potential = AceFitter().fit(FitRequest(options, data, tmp_path))
    written = pacemaker_input(ExportRequest(potential, tmp_path, options, data))
    assert list(written) == ["pacemaker"]
    assert written["pacemaker"].startswith("not written: no structure has an energy")
    assert not (tmp_path / "pacemaker").exists()


positive = st.floats(0.1, 2.0).map(lambda x: round(x, 6))
by_group = positive | st.fixed_dictionaries({"bulk": positive, "cluster": positive})
sizes = st.integers(1, 4).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "nradmax_by_orders": st.lists(st.integers(1, 9), min_size=n, max_size=n),
            "lmax_by_orders": st.lists(st.integers(0, 5), min_size=n - 1, max_size=n - 1).map(
                lambda rest: [0, *rest]
            ),
        }
    )
)
potentials = st.fixed_dictionaries(
    {
        "cutoff": st.floats(3.0, 8.0),
        "radbase": st.sampled_from(["SBessel", "ChebExpCos", "ChebPow"]),
        "radparameters": positive,
        "dcut": positive,
        "r_in": positive,
        "delta_in": positive,
        "core_repulsion": st.lists(positive, min_size=2, max_size=2),
        "inner_cutoff_type": st.sampled_from(["distance", "density", "zbl"]),
        "delta_spline_bins": positive,
        "bonds": st.sampled_from(
            [
                [],
                [{"pair": ["Ge", "Si"], "cutoff": 4.5, "radbase": "ChebPow"}],
                [{"pair": ["Ge", "Ge"], "r_in": 0.3}, {"pair": ["Si", "Si"], "dcut": 0.3}],
            ]
        ),
        "eweight": by_group,
        "fweight": by_group,
        "energy_shift": st.none() | st.fixed_dictionaries({"Ge": positive, "Si": positive}),
    }
)


def with_shape(shape: dict[str, Any], *chosen: dict[str, Any]) -> dict[str, Any]:
    found = {**shape, "binary": shape, "ternary": shape, "order": len(shape["lmax_by_orders"])}
    for own in chosen:
        found |= own
    return found


def read_back(content: dict[str, Any]) -> dict[str, Any]:
    """The study of an input, by way of a file."""
    study, _, lost = study_from_input(yaml.safe_load(yaml.safe_dump(content)), Path("input.yaml"))
    assert not lost
    return study


@given(
    sizes,
    potentials,
    st.fixed_dictionaries(
        {
            "functions": st.integers(1, 900),
            "npot": st.sampled_from(["FinnisSinclairShiftedScaled", "FinnisSinclair"]),
            "fs_parameters": st.lists(positive, min_size=4, max_size=4),
            "kappa": st.floats(0.0, 1.0),
            "l1_coeffs": st.floats(0.0, 1e-3),
            "l2_coeffs": st.floats(0.0, 1e-3),
            "optimizer": st.sampled_from(["BFGS", "L-BFGS-B"]),
            "maxiter": st.integers(1, 3000),
            "batch_size": st.integers(1, 200),
            "evaluator": st.sampled_from(["tensorpot", "pyace"]),
        }
    ),
    st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_import_of_a_non_linear_export_is_the_identity(shape, potential, chosen, seed):
    options = PacemakerOptions(**with_shape(shape, potential, chosen))
    study = read_back(input_file(options, DATA, seed))
    assert study["seed"] == seed
    assert PacemakerOptions(**study["fitter"]["pacemaker"]) == options


@given(
    sizes,
    potentials,
    st.fixed_dictionaries(
        {
            "functions": st.integers(1, 900)
            | st.fixed_dictionaries({"Ge": st.integers(1, 900), "Si": st.integers(1, 900)}),
            "functions_used": st.none() | st.integers(1, 900),
            "angular_weight": positive,
            "virials": st.just(True),
            "vweight": by_group,
            "ridge": st.floats(0.0, 1e-3),
            "absolute_ridge": st.floats(0.0, 1e-3),
            "smoothness": positive,
            "constant": st.booleans(),
            "boltzmann_temperature": st.floats(0.0, 1e4),
            "solver": st.sampled_from(["auto", "gram", "qr"]),
        }
    ),
)
@settings(max_examples=60, deadline=None)
def test_import_of_a_linear_export_is_the_identity(shape, potential, chosen):
    options = AceOptions(**with_shape(shape, potential, chosen))
    study = read_back(linear_input(options, DATA, Loss(1.0, 2.0, 0.1), "functions.yaml"))
    assert AceOptions(**study["fitter"]["ace"]) == options


DATA = training_data(frames(TWO, 3))
