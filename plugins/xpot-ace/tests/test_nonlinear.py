"""The fitter ``pacemaker``: what it is given, what becomes of it, and what is said when it fails."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from ace_cases import slab
from pydantic import ValidationError
from xpot_ace.contract import PACEMAKER
from xpot_ace.nonlinear.fitter import PacemakerFitter
from xpot_ace.nonlinear.job import reference_energies, write_job
from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.nonlinear.run import run_pacemaker
from xpot_ace.pacemaker.native_input import pacemaker_input
from xpot_ace.predictor import AcePredictor

from xpot_core.api import ExportRequest, FitError, FitRequest, Limits, TrialTimeoutError, error_table
from xpot_core.plugins.registry import load_registry
from xpot_core.testing.frames import frame, frames, training_data

TINY = PACEMAKER["tiny_options"]
TWO = ("Ge", "Si")


def job(folder, data, **changes):
    """Input and table of a run."""
    options = PacemakerOptions(**{**TINY, **changes})
    write_job(folder, options, data, reference_energies(options, data), seed=3)
    content = yaml.safe_load((folder / "input.yaml").read_text())
    return content, pd.read_pickle(folder / "data.pckl.gzip", compression="gzip")  # noqa: S301


def test_the_input_has_what_was_asked_for(tmp_path):
    content, table = job(
        tmp_path,
        training_data(frames(TWO)),
        fs_parameters=[1.0, 0.8, 0.5, 0.6],
        kappa=0.4,
        bonds=[{"pair": ["Si", "Ge"], "cutoff": 5.0}],
        evaluator="tensorpot",
    )
    potential = content["potential"]
    assert potential["embeddings"]["ALL"]["fs_parameters"] == [1.0, 0.8, 0.5, 0.6]
    assert potential["embeddings"]["ALL"]["ndensity"] == 2
    assert potential["functions"]["number_of_functions_per_element"] == TINY["functions"]
    assert potential["bonds"]["SiGe"] == {"rcut": 5.0}
    assert content["fit"]["loss"] == {"kappa": 0.4, "L1_coeffs": 1e-8, "L2_coeffs": 1e-8}
    assert (content["fit"]["maxiter"], content["seed"]) == (TINY["maxiter"], 3)
    assert content["backend"]["evaluator"] == "tensorpot"
    assert len(table) == len(training_data(frames(TWO)).training().frames)


def test_weights_are_those_of_the_groups_and_add_up_to_one(tmp_path):
    data = training_data(frames(TWO))
    weights = {g: 1.0 + i for i, g in enumerate(data.groups)}
    _, table = job(tmp_path, data, eweight=weights, fweight=weights)
    own = data.training().frames
    assert table["w_energy"].sum() == pytest.approx(1.0)
    assert np.concatenate(list(table["w_forces"])).sum() == pytest.approx(1.0)
    for name in ("w_energy", "w_forces"):
        relative = [np.mean(w) / weights[f.group] for w, f in zip(table[name], own, strict=True)]
        assert np.allclose(relative, relative[0])


def test_missing_values_have_no_weight(tmp_path):
    first, *others = frames(TWO)
    blank = replace(first, energy=None, forces=None)
    _, table = job(tmp_path, training_data([blank, *others]))
    assert (table["w_energy"] == 0.0).sum() == 1
    assert sum(not w.any() for w in table["w_forces"]) == 1
    content, _ = job(tmp_path, training_data([replace(f, forces=None) for f in others]))
    assert content["fit"]["loss"]["kappa"] == 0.0
    with pytest.raises(FitError, match="no structure has an energy"):
        job(tmp_path, training_data([replace(f, energy=None) for f in others]))


def test_open_and_left_handed_cells_become_what_python_ace_knows(tmp_path):
    atoms = slab()
    atoms.set_cell(np.array(atoms.cell)[[1, 0, 2]])
    _, table = job(tmp_path, training_data([frame(atoms, energy=-3.0)] * 2))
    found = table["ase_atoms"][0]
    assert found.pbc.all()
    assert np.linalg.det(np.array(found.cell)) > 0.0
    assert np.array_equal(found.positions, atoms.positions)


def test_energies_of_single_atoms_are_given_or_fitted():
    data = training_data(frames(TWO))
    given = PacemakerOptions(**TINY, energy_shift={"Ge": -3.0, "Si": -2.0})
    assert reference_energies(given, data) == {"Ge": -3.0, "Si": -2.0}
    isolated = replace(data, reference_energies={"Ge": -1.0, "Si": -4.0})
    assert reference_energies(PacemakerOptions(**TINY), isolated) == {"Ge": -1.0, "Si": -4.0}
    fitted = reference_energies(PacemakerOptions(**TINY), data)
    rest = [f.energy - sum(fitted[s] for s in f.atoms.symbols) for f in data.training().frames]
    assert abs(np.mean([e / f.n_atoms for e, f in zip(rest, data.frames, strict=False)])) < 0.1


def test_densities_come_in_pairs_of_numbers():
    with pytest.raises(ValidationError, match="prefactor and an exponent"):
        PacemakerOptions(fs_parameters=[1.0, 1.0, 1.0])


def test_a_missing_backend_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("xpot_ace.nonlinear.run.find_spec", lambda name: None)
    with pytest.raises(FitError, match="tensorpotential") as caught:
        run_pacemaker(tmp_path, tmp_path / "fit.log", evaluator="tensorpot")
    assert "pip install tensorpotential" in caught.value.remedy
    provider = load_registry().provider("fitter", "pacemaker")
    assert "tensorpotential" in provider.packages


@pytest.mark.slow
def test_failures_of_the_program_are_explained(tmp_path):
    job(tmp_path, training_data(frames(TWO)))
    (tmp_path / "data.pckl.gzip").unlink()
    with pytest.raises(FitError, match="pacemaker stopped with status 1") as caught:
        run_pacemaker(tmp_path, tmp_path / "fit.log", evaluator="pyace")
    assert "data.pckl.gzip" in caught.value.log
    with pytest.raises(TrialTimeoutError, match="stopped after 0 s"):
        run_pacemaker(tmp_path, tmp_path / "fit.log", evaluator="pyace", limits=Limits(seconds=0.2))


@pytest.mark.slow
def test_a_fit_predicts_what_pacemaker_says_of_it(tmp_path):
    """Trained for real, by python-ace's own evaluator: two elements, two densities."""
    data = training_data(frames(TWO))
    options = PacemakerOptions(**TINY, energy_shift={"Ge": -3.0, "Si": -2.0})
    potential = PacemakerFitter().fit(FitRequest(options, data, tmp_path))
    found = error_table(AcePredictor().predict(potential, data.frames, directory=tmp_path), data.frames)
    text = (tmp_path / "fit.log").read_text(errors="replace")
    energy, _, force, _ = map(float, re.findall(r"RMSE:((?:\s+[\d.]+){4})", text)[-1].split())
    assert 1000 * found.total("energy").rmse == pytest.approx(energy, abs=0.01)
    assert 1000 * found.total("force").rmse == pytest.approx(force, abs=0.01)
    assert potential.metadata["constants"] == {"Ge": -3.0, "Si": -2.0}
    written = pacemaker_input(ExportRequest(potential, tmp_path, options, data))
    assert set(written) == {"pacemaker/input.yaml", "pacemaker/data.xyz"}
    assert (tmp_path / "pacemaker" / "input.yaml").read_text() == (tmp_path / "input.yaml").read_text()
