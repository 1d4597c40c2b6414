"""Atoms on their own: one atom, and none of its periodic images within reach. They are the zero of energy.

The structure decides, not the name of its group. Every fit sees them, no fold holds them out, and their energies are
the reference energies of the elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from xpot_core.errors import InputError
from xpot_core.types.structures import Frame

if TYPE_CHECKING:
    from ase import Atoms

REACH = 8.0
"""Å: beyond the cutoffs of most potentials and the neighbours of any strained crystal, within usual boxes."""
_SAME_ENERGY = 1e-3
"""eV: what boxes of different size make of the energy of one atom."""


def is_isolated(atoms: Atoms) -> bool:
    """Whether a structure is one atom without a periodic image closer than 8 Å."""
    if len(atoms) != 1:
        return False
    periodic = atoms.cell.lengths()[atoms.pbc]
    if not len(periodic):
        return True
    if periodic.min() < REACH:
        return False
    from ase.neighborlist import neighbor_list  # a skewed cell of long vectors may still have near images

    return not len(neighbor_list("d", atoms, REACH))


def isolated_energies(frames: Iterable[Frame], given: Mapping[str, float]) -> dict[str, float]:
    """Energy of the isolated atom in eV per element: the given one, else that of the frames.

    Parameters
    ----------
    frames
        Training frames; those that are no isolated atoms are passed over.
    given
        Energies that a user stated; they override those of the frames.

    Raises
    ------
    InputError
        If two isolated atoms of one element differ in energy.
    """
    found: dict[str, Frame] = {}
    energies = dict(given)
    for frame in frames:
        if frame.energy is None or not is_isolated(frame.atoms):
            continue
        element = frame.atoms.get_chemical_symbols()[0]
        if element in given:
            continue
        first = found.setdefault(element, frame)
        energy = energies.setdefault(element, frame.energy)
        if abs(energy - frame.energy) > _SAME_ENERGY:
            raise InputError(
                f"two isolated atoms of {element} contradict each other: {first.source} has {energy:.6g} eV, "
                f"{frame.source} {frame.energy:.6g} eV",
                key="data.train",
                remedy=f"take one of them out, or write reference_energies: {{{element}: {energy:.6g}}} under data",
            )
    return energies
