"""Small structures and trainings of the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from xpot_mace.contract import CONTRACT
from xpot_mace.fitter import MaceFitter
from xpot_mace.options import MaceOptions

from xpot_core.api import FitRequest, FittedPotential, Frame, PrunedError, TrainingData
from xpot_core.testing.frames import frame, frames, training_data

TINY: dict[str, Any] = CONTRACT["tiny_options"]


def emt_frames(element: str, count: int) -> list[Frame]:
    """Rattled and strained cells of four atoms with energies, forces and virials of EMT."""
    made = []
    for number in range(count):
        rng = np.random.default_rng([number, len(element)])
        atoms = bulk(element, "fcc", cubic=True)
        atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
        atoms.calc = None
        made.append(frame(atoms, energy, forces, virial, "bulk", f"{element}#{number}"))
    return made


def train(
    folder: Path,
    data: TrainingData | None = None,
    *,
    held: Sequence[Frame] | None = None,
    report: Callable[[int, Any], None] | None = None,
    checkpoint: Path | None = None,
    resume_from: Path | None = None,
    **options: Any,
) -> FittedPotential:
    """A fit with tiny options and those given; by default of the kit's structures, three of them held out."""
    folder.mkdir(parents=True, exist_ok=True)
    own = frames()
    request = FitRequest(
        options=MaceOptions(**{**TINY, **options}),
        data=data or training_data(own[:9]),
        directory=folder,
        held_out=tuple(own[9:] if held is None else held),
        report=report or (lambda step, errors: None),
        checkpoint=checkpoint,
        resume_from=resume_from,
    )
    return MaceFitter().fit(request)


def stop_at(last: int) -> Callable[[int, Any], None]:
    """A report that wants no more after a step."""

    def report(step: int, errors: Any) -> None:
        if step >= last:
            raise PrunedError("enough")

    return report
