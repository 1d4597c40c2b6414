"""The fit of a linear input of pacemaker is the minimum of pacemaker's loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io import write
from test_pacemaker import SHAPE, content
from xpot_ace.descriptors.backend import pyace
from xpot_ace.fitter import AceFitter
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.input_file import study_from_input

from xpot_core.api import FitRequest
from xpot_core.testing.frames import frames, training_data


def test_it_is_the_minimum_of_pacemakers_loss(tmp_path):
    known = [replace(f, weight=1.0) for f in frames(("Si",), 6)]
    write(tmp_path / "si.xyz", [f.atoms for f in known], format="extxyz")
    bonds = {"ALL": {"radbase": "ChebExpCos", "radparameters": [4], "rcut": 4, "dcut": 0.1}}
    given = content(bonds=bonds, functions={"ALL": SHAPE, "number_of_functions_per_element": 6})
    kappa, penalty, energy = 0.3, 1e-5, -0.7
    given["fit"]["loss"] = {"kappa": kappa, "L2_coeffs": "1e-5"}
    given["data"] |= {"filename": "si.xyz", "reference_energy": {"Si": energy}}
    study, _, lost = study_from_input(given, tmp_path / "input.yaml")
    assert not lost
    options = AceOptions(**study["fitter"]["ace"])
    potential = AceFitter().fit(FitRequest(options, training_data(known), tmp_path))
    basis = pyace().ACEBBasisSet(str(potential.path("basis")))
    n_atoms = sum(f.n_atoms for f in known)

    def loss(coefficients):
        basis.basis_coeffs = coefficients
        calculator = pyace().PyACECalculator(basis)
        total = penalty * float(np.square(coefficients).sum())
        for frame in known:
            atoms = frame.atoms.copy()
            atoms.calc = calculator
            deviation = (atoms.get_potential_energy() - frame.energy) / frame.n_atoms + energy
            total += (1.0 - kappa) * deviation**2 / len(known)
            total += kappa * float(np.square(atoms.get_forces() - frame.forces).sum()) / n_atoms
        return total

    fitted = np.array(basis.basis_coeffs)
    lowest = loss(fitted)
    for i in range(len(fitted)):
        step = np.zeros(len(fitted))
        step[i] = 1e-3
        there, back = loss(fitted + step), loss(fitted - step)
        assert min(there, back) > lowest
        assert abs(there - back) < 1e-4 * (there + back - 2.0 * lowest)


@pytest.mark.parametrize("name", ["si.xyz", "si.pckl.gzip"])
def test_structures_beside_a_pickle_are_counted(tmp_path, name):
    write(tmp_path / "si.xyz", [f.atoms for f in frames(("Si",), 4)], format="extxyz")
    given = content()
    given["fit"]["loss"] = {"kappa": 0.5}
    given["data"]["filename"] = name
    study, _, lost = study_from_input(given, Path(tmp_path / "input.yaml"))
    assert not lost
    options = study["fitter"]["ace"]
    assert options["eweight"] ** 2 == pytest.approx(0.5)
    assert options["fweight"] < options["eweight"]
