"""Distances of pairs and rows that tell something, as `xpot init` sees them in data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ase.neighborlist import neighbor_list

from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.setup.proposal import Wishes, look_at, propose_study

SILICON = Path(__file__).parents[2] / "examples" / "silicon"


@pytest.fixture
def registry() -> Registry:
    return load_registry()


def labelled(atoms: Atoms, **info: Any) -> Atoms:
    atoms.info.update(REF_energy=-1.0 * len(atoms), **info)
    atoms.arrays["REF_forces"] = np.zeros((len(atoms), 3))
    return atoms


def test_every_pair_has_its_own_shortest_distance(tmp_path: Path) -> None:
    frames = [labelled(bulk("InP", "zincblende", a=5.8, cubic=True)) for _ in range(3)]
    indium = np.flatnonzero(frames[0].symbols == "In")
    frames[0].positions[indium[1]] = frames[0].positions[indium[0]] + [2.4, 0.3, 0.1]
    loose = labelled(Atoms("P2", positions=[(0, 0, 0), (0, 0, 1.9)], cell=[20] * 3, pbc=True))
    write(tmp_path / "inp.xyz", [*frames, loose])
    pairs = look_at([tmp_path / "inp.xyz"]).pairs
    for name, pair in pairs.items():
        first, second = name.split("-")
        found = []
        for atoms in [*frames, loose]:
            i, j, d = neighbor_list("ijd", atoms, 3.2)
            found += [
                x for a, b, x in zip(i, j, d, strict=True) if {*atoms.symbols[[a, b]]} == {first, second}
            ]
        assert pair.shortest == pytest.approx(min(found)), name
        assert pair.seen
    # the pair in vacuum is short, and not typical
    assert pairs["P-P"].neighbour > 2.5
    assert look_at([tmp_path / "inp.xyz"]).shortest == min(p.shortest for p in pairs.values())


def test_the_distances_of_one_element_are_those_of_its_pair() -> None:
    facts = look_at([SILICON / "silicon_train.xyz"])
    assert facts.pairs["Si-Si"].shortest == facts.shortest
    assert facts.pairs["Si-Si"].neighbour == facts.neighbour


def test_rows_that_say_nothing_do_not_ask_for_many_coefficients(registry: Registry, tmp_path: Path) -> None:
    """Strained perfect crystals have thousands of forces, all zero; thermal cells have as many different ones."""
    if "snap" not in registry.names("fitter"):
        pytest.skip("snap is not installed")
    rng = np.random.default_rng(3)
    for name, amount in (("perfect", 0.0), ("thermal", 0.3)):
        frames = []
        for i in range(20):
            atoms = labelled(bulk("Si", cubic=True, a=5.4 + 0.01 * i) * 2)
            half = rng.normal(scale=amount or 1.0, size=(32, 3)) * (amount > 0)
            atoms.arrays["REF_forces"] = np.concatenate([half, -half])
            frames.append(atoms)
        write(tmp_path / f"{name}.xyz", frames, format="extxyz")
        facts = look_at([tmp_path / f"{name}.xyz"])
        assert (facts.components > 0) == (amount > 0)
        wishes = Wishes((tmp_path / f"{name}.xyz",), fitter="snap", folder=tmp_path)
        proposed = yaml.safe_load(propose_study(facts, wishes, registry).text)
        assert ("quadratic" in proposed["fitter"]["snap"]) == (amount > 0)
        if "phonons" in registry.names("validator"):
            assert proposed["constraints"] == [{"default": {"tests": ["phonons"]}}]


def test_where_data_say_enough_no_trial_is_refused(registry: Registry, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    frames = []
    for _ in range(20):
        atoms = labelled(bulk("Si", cubic=True) * 3)
        atoms.arrays["REF_forces"] = rng.normal(size=(len(atoms), 3))
        frames.append(atoms)
    write(tmp_path / "much.xyz", frames, format="extxyz")
    facts = look_at([tmp_path / "much.xyz"])
    for fitter in {"snap", "gap"} & {*registry.names("fitter")}:
        wishes = Wishes((tmp_path / "much.xyz",), fitter=fitter, folder=tmp_path)
        assert "constraints" not in yaml.safe_load(propose_study(facts, wishes, registry).text)
