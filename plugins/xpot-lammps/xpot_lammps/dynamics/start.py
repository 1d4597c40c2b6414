"""A LAMMPS instance that is ready to run: atoms, forces, time step, velocities."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms
from ase.io.lammpsdata import write_lammps_data
from xpot_lammps_session.session import LammpsSession

from xpot_lammps.force import Force
from xpot_lammps.native import mass_commands


def begin(
    session: LammpsSession, force: Force, atoms: Atoms, *, timestep: float, temperature: float, seed: int
) -> None:
    """Give a LAMMPS instance its atoms, forces, time step and velocities.

    Parameters
    ----------
    session
        A new instance.
    force
        Of the potential.
    atoms
        Periodic structure of the potential's elements.
    timestep
        In ps.
    temperature
        Of the velocities, K.
    seed
        Of the velocities.
    """
    elements, structure = list(force.potential.elements), "structure.data"
    write_lammps_data(
        structure, atoms, specorder=elements, units="metal", atom_style="atomic", force_skew=True
    )
    session.commands(
        [
            "units metal",
            "atom_style atomic",
            "atom_modify map yes sort 0 0.0",
            "boundary p p p",
            "box tilt large",
            f"read_data {structure}",
            *mass_commands(elements),
        ]
    )
    Path(structure).unlink()
    force.apply(session, elements)
    session.commands(
        [
            "neighbor 1.0 bin",
            "neigh_modify every 1 delay 0 check yes one 20000 page 400000",
            f"timestep {timestep!r}",
            f"velocity all create {temperature!r} {lammps_seed(seed)} mom yes rot no dist gaussian",
        ]
    )


def lammps_seed(seed: int) -> int:
    """A seed in the range that LAMMPS takes."""
    return seed % 900_000_000 + 1
