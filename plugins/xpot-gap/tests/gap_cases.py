"""Small structures with EMT reference values; no reference data is needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from xpot_gap.importing.study import study_from_source
from xpot_gap.native.passes.work import Task, Values
from xpot_gap.options import GapOptions

from xpot_core.api import FitRequest, FloatArray, Frame, TrainingData

SOAP_TEXT = "soap cutoff=4 n_max=4 l_max=3 atom_sigma=0.5 delta=0.5 zeta=2 covariance_type=dot_product"
PAIR_TEXT = (
    "distance_2b cutoff=4 delta=0.5 covariance_type=ard_se theta_uniform=1.0 sparse_method=uniform n_sparse=4"
)


def study_from_command(command: str) -> dict[str, Any]:
    """The study of a command, with its notes under ``#``."""
    found = study_from_source(command)
    return {"#": list(found.notes), **found.study}


def make_frame(number: int, group: str, elements: Sequence[str] = ("Cu",)) -> Frame:
    """A strained, rattled cell of eight atoms with energy, forces and virial of EMT."""
    rng = np.random.default_rng(number)
    atoms = bulk("Cu", cubic=True, a=3.6).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += 0.1 * rng.normal(size=(8, 3))
    if len(elements) > 1:
        chosen = rng.choice(8, 4, replace=False)
        atoms.set_chemical_symbols([elements[1] if i in chosen else elements[0] for i in range(8)])
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
    atoms.calc = None
    return Frame(atoms, float(energy), forces, virial, group, f"made.xyz#{number}", f"id{number}")


def make_data(
    n: int = 8,
    *,
    groups: Sequence[str] = ("Elastic", "AIMD-NVT"),
    folds: Sequence[int] | None = None,
    elements: Sequence[str] = ("Cu",),
) -> TrainingData:
    """`n` frames that take turns in the groups."""
    frames = tuple(make_frame(i, groups[i % len(groups)], elements) for i in range(n))
    return TrainingData(frames, tuple(folds or [-1] * n), tuple(sorted(elements)), tuple(sorted(groups)))


def make_options(**changes: object) -> GapOptions:
    """Options of a fit that takes half a second."""
    settings: dict[str, object] = {
        "descriptors": [
            {"distance_2b": {"cutoff": 4.5, "n_sparse": 10}},
            # 61 coordinates: gap_fit writes more than 50 in slices.
            {"soap": {"cutoff": 4.0, "n_max": 5, "l_max": 3, "n_sparse": 20}},
        ],
        "e0": {"Cu": 0.0},
        "sigma_energy": 0.005,
        "sigma_force": 0.05,
    }
    return GapOptions.model_validate({**settings, **changes})


def make_request(data: TrainingData, directory: Path, **changes: object) -> FitRequest:
    """A request with small options; further arguments go to the request."""
    options = changes.pop("options", None) or make_options()
    return FitRequest(options=options, data=data, directory=directory, seed=3, **changes)


class Ending(Values):
    """Work that ends its process, as quippy does where it does not like something."""

    def do(self, task: Task) -> list[tuple[FloatArray, FloatArray]]:
        os._exit(3)
