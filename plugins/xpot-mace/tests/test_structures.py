"""What mace is given: units, signs, weights, energies of single atoms, cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.io import read
from xpot_mace.options import MaceOptions
from xpot_mace.potential.cells import has_stress, periodic
from xpot_mace.training.structures import atomic_energies, groups_by_name, trained_on, write_structures

from xpot_core.api import FitError, InputError, validate_options
from xpot_core.testing.frames import frame, frames, labelled, rotation, structure, training_data


def lone(element: str, energy: float | None):
    return frame(Atoms(element), energy, np.zeros((1, 3)), group="isolated_atom", source=element)


def test_reference_values_in_the_units_and_signs_of_mace(tmp_path: Path) -> None:
    one = frames()[0]
    write_structures(tmp_path / "a.xyz", [one], MaceOptions(), ("bulk",))
    found = read(tmp_path / "a.xyz")
    assert found.info["REF_energy"] == pytest.approx(one.energy)
    np.testing.assert_allclose(found.arrays["REF_forces"], one.forces, atol=1e-7)
    virial = np.array(found.info["REF_virials"]).reshape(3, 3)
    np.testing.assert_allclose(virial, one.virial, atol=1e-12)
    # ASE's stress is positive under tension
    stress = np.array(found.info["REF_stress"]).reshape(3, 3)
    np.testing.assert_allclose(stress, -one.virial / one.atoms.get_volume(), atol=1e-12)
    assert found.info["config_type"] == "bulk"
    assert "config_weight" not in found.info


def test_groups_that_a_file_would_change_are_weighed_in_the_file(tmp_path: Path) -> None:
    assert groups_by_name(["bulk", "slab-100"]) == ("bulk", "slab-100")
    for odd in ("12", "T", "two words", "IsolatedAtom", "größe"):
        assert groups_by_name(["bulk", odd]) == ()
    options = MaceOptions(config_type_weights={"12": 3.0})
    write_structures(tmp_path / "a.xyz", [replace(frames()[0], group="12", weight=0.5)], options, ())
    assert read(tmp_path / "a.xyz").info["config_weight"] == 1.5


def test_isolated_atoms_are_the_zero_and_not_trained_on() -> None:
    pure = [labelled(structure(i)) for i in range(3)]
    data = training_data([*pure, lone("Si", -2.5)])
    assert len(trained_on(data)) == 3
    assert atomic_energies(MaceOptions(), data) == {"Si": -2.5}
    assert atomic_energies(MaceOptions(E0s={"Si": 1.0}), data) == {"Si": 1.0}
    with pytest.raises(FitError, match="no training structure"):
        trained_on(training_data([lone("Si", -2.5)]))


def test_average_energies_fit_best_and_fill_gaps() -> None:
    both = [labelled(structure(i, ("Ge", "Si"))) for i in range(6)]
    found = atomic_energies(MaceOptions(E0s="average"), training_data(both))
    assert found is not None
    counts = [[f.atoms.symbols.count(e) for e in ("Ge", "Si")] for f in both]
    expected = np.linalg.lstsq(np.array(counts, dtype=float), np.array([f.energy for f in both]), rcond=None)[
        0
    ]
    np.testing.assert_allclose([found["Ge"], found["Si"]], expected)
    half = atomic_energies(MaceOptions(), training_data([*both, lone("Si", -2.5)]))
    assert half is not None
    assert half["Si"] == -2.5
    assert half["Ge"] != 0.0
    with pytest.raises(FitError, match="no energy of Ge"):
        atomic_energies(MaceOptions(E0s={"Si": 1.0}), training_data(both))


def test_open_directions_get_room_across_a_turned_slab() -> None:
    slab = fcc111("Al", (2, 2, 3), a=4.05, vacuum=None)
    slab.pbc = (True, True, False)
    turn = rotation(3)
    slab.set_cell(np.array(slab.cell) @ turn.T)
    slab.positions[:] = slab.positions @ turn.T
    boxed = periodic(slab, 5.0)
    cell = np.array(boxed.cell)
    assert boxed.pbc.all()
    np.testing.assert_allclose(cell[:2], np.array(slab.cell)[:2])
    np.testing.assert_allclose(cell[2] @ cell[:2].T, 0.0, atol=1e-9)
    normal = cell[2] / np.linalg.norm(cell[2])
    assert np.linalg.norm(cell[2]) == pytest.approx(np.ptp(slab.positions @ normal) + 6.0)
    assert not has_stress(slab)
    assert has_stress(structure(1))


def test_options_that_contradict_each_other_are_refused() -> None:
    for bad in (
        {"max_L": 3, "max_ell": 1},
        {"freeze": 5},
        {"E0s": "foundation"},
        {"foundation_model": "a.model", "pt_train_file": "a.xyz", "E0s": "average"},
        {"radial_MLP": [0]},
        {"foundation_model": "a.model", "freeze": 7},
    ):
        with pytest.raises(InputError):
            validate_options(MaceOptions, bad)
