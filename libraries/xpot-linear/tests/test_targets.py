"""Targets and the factors on them."""

import numpy as np
import pytest
from linear_cases import GROUPS, small_data
from xpot_linear import fit_factors, target_energies


def test_boltzmann_weights():
    data = small_data(9, 3, 3)
    energies = target_energies(data, {})
    assert all(f.plain for f in fit_factors(data, energies))
    factors = fit_factors(data, energies, 1000.0)
    weights = np.array([f.energy for f in factors])
    assert [f.forces[0, 0] for f in factors] == [f.virial[0, 0] for f in factors] == weights.tolist()
    per_atom = energies / [f.n_atoms for f in data.frames]
    names = np.array([f.group for f in data.frames])
    for group in GROUPS:
        own = np.flatnonzero(names[:9] == group)
        # a left-out fold keeps its say: all fits of a study share one scale
        assert weights[own].max() == 1.0
        ratio = np.log(weights[own[0]] / weights[own[1]])
        assert ratio == pytest.approx(-(per_atom[own[0]] - per_atom[own[1]]) / (8.617333262e-5 * 1000))
    assert weights[9:].tolist() == [1.0] * 3


def test_shifts_are_subtracted():
    data = small_data(2, 0, 0)
    shifted = target_energies(data, {"In": -2.0})
    counts = [list(f.atoms.symbols).count("In") for f in data.frames]
    assert shifted == pytest.approx([f.energy + 2.0 * n for f, n in zip(data.frames, counts, strict=True)])
