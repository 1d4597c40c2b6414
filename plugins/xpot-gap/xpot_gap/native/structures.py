"""Frames as the descriptors take them, and what of their reference values is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms

from xpot_core.api import BoundedCache, CacheEntry, FloatArray, Frame, periodic_cell
from xpot_gap.gap_fit.data_file import VACUUM, check_numbers
from xpot_gap.gap_fit.keys import core_key, digest_of
from xpot_gap.gap_fit.plan import Plan
from xpot_gap.linear_system.rows import targets
from xpot_gap.native.passes.work import Structure


@dataclass(frozen=True, eq=False)
class Part:
    """Frames of one part of the data, for training or evaluation only.

    Attributes
    ----------
    frames
        As the study has them.
    structures
        As the descriptors take them.
    key
        Digest of what kernel rows depend on.
    """

    frames: Sequence[Frame]
    structures: Sequence[Structure]
    key: str

    @classmethod
    def of(cls, plan: Plan, frames: Sequence[Frame]) -> Part:
        """Directions that are not periodic get room enough."""
        structures = [_structure(plan, frame) for frame in frames]
        digests = [
            digest_of(
                s.energy, s.virial, s.forces, s.atoms.numbers, s.atoms.positions, np.array(s.atoms.cell)
            )
            for s in structures
        ]
        return cls(frames, structures, digest_of(digests))

    @property
    def n_rows(self) -> int:
        """Number of rows of the kernel."""
        return sum(s.energy + s.n_rest for s in self.structures)

    def targets(self, plan: Plan, cache: BoundedCache) -> FloatArray:
        """What the rows are fitted to, shape (n,): eV and eV/Å, without e0 and core potential."""
        if plan.core_file is None:
            return targets(self.frames, plan.e0)
        labels = [[None if v is None else np.asarray(v).tolist() for v in _labels(f)] for f in self.frames]
        key = digest_of("targets", self.key, core_key(plan), plan.e0, labels)
        return cache.fetch(
            key,
            lambda: targets(self._without_core(plan), plan.e0),
            lambda found: CacheEntry("GAP reference values without core potential", {"target": found}),
            lambda entry: np.array(entry.arrays["target"]),
        )

    def _without_core(self, plan: Plan) -> list[Frame]:
        """Frames whose reference values are those that the core potential leaves to the fit."""
        from quippy.potential import Potential

        core = Potential(plan.options.core_ip_args, param_filename=str(plan.core_file))
        left = []
        for frame, structure in zip(self.frames, self.structures, strict=True):
            atoms = structure.atoms.copy()
            atoms.calc = core
            changed: dict[str, Any] = {}
            if frame.energy is not None:
                changed["energy"] = frame.energy - atoms.get_potential_energy()
            if frame.forces is not None:
                changed["forces"] = frame.forces - atoms.get_forces()
            if frame.virial is not None:
                changed["virial"] = frame.virial + atoms.get_volume() * atoms.get_stress(voigt=False)
            left.append(replace(frame, **changed))
        return left


def _labels(frame: Frame) -> tuple[Any, ...]:
    return frame.energy, frame.forces, frame.virial


def _structure(plan: Plan, frame: Frame) -> Structure:
    check_numbers(frame)
    cell = periodic_cell(frame.atoms, plan.cutoff + VACUUM)
    atoms = Atoms(frame.atoms.numbers, positions=frame.atoms.positions, cell=cell, pbc=True)
    counted = None
    if frame.forces is not None:
        mask = frame.force_mask
        counted = np.ones(len(atoms), dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    return Structure(atoms, frame.energy is not None, counted, frame.virial is not None, frame.source)
