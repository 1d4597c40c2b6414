"""Structures with energies, forces and weights as pacemaker reads them: a pickled table, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from xpot_ace.descriptors.environment import right_handed_cell
from xpot_ace.potential_options import PotentialOptions
from xpot_core.api import FitError, FloatArray, Frame

DATA = "data.pckl.gzip"
READABLE = "data.xyz"
"""The same as extended XYZ, which an import reads in the place of a pickle."""


def write_table(folder: Path, table: Any) -> None:
    """Write what `structure_table` gives."""
    table.to_pickle(folder / DATA, compression="gzip", protocol=4)


def structure_table(
    frames: Sequence[Frame],
    energies: FloatArray,
    energy_weights: FloatArray,
    force_weights: Sequence[FloatArray],
    cutoff: float,
) -> Any:
    """The structures as pacemaker's ``pandas.DataFrame``.

    Parameters
    ----------
    frames
        The structures.
    energies
        Shape (n_frames,), eV: without those of single atoms; NaN where there is none.
    energy_weights
        Shape (n_frames,): weights of the squares of energies by atom; zero where there is none.
    force_weights
        For each frame shape (n_atoms,): weights of the squares of forces.
    cutoff
        Å, the longest.

    Raises
    ------
    FitError
        If there is no energy, which pacemaker needs.
    """
    import pandas as pd

    if not energy_weights.any():
        raise FitError("no structure has an energy with a weight, which pacemaker needs")
    # the weights of each kind add up to one, as pacemaker makes them
    all_forces = float(sum(own.sum() for own in force_weights)) or 1.0
    return pd.DataFrame(
        [
            {
                "ase_atoms": _periodic(frame.atoms, cutoff),
                "energy_corrected": float(np.nan_to_num(energy)),
                "forces": np.zeros((frame.n_atoms, 3)) if frame.forces is None else np.array(frame.forces),
                "w_energy": of_energy / energy_weights.sum(),
                "w_forces": of_forces / all_forces,
            }
            for frame, energy, of_energy, of_forces in zip(
                frames, energies, energy_weights, force_weights, strict=True
            )
        ]
    )


def longest_cutoff(options: PotentialOptions) -> float:
    """The longest cutoff of all pairs, Å."""
    return max([options.cutoff, *(bond.cutoff or 0.0 for bond in options.bonds)])


def _periodic(atoms: Atoms, cutoff: float) -> Atoms:
    """The same neighbours in a right-handed cell that is periodic in all directions."""
    return Atoms(atoms.symbols, atoms.positions, cell=right_handed_cell(atoms, cutoff), pbc=True)
