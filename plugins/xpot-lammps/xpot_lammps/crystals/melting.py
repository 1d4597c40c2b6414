"""Where a crystal melts, roughly: from how stiff the data say it is."""

from __future__ import annotations

from collections.abc import Sequence

from ase.units import GPa, kB

from xpot_core.api import Frame, InputError
from xpot_lammps.crystals.stiffness_fit import elasticity_of

_LINDEMANN = 0.0105
"""Thermal energy at the melting point by bulk modulus and volume of an atom: 0.0095 for Mo, 0.0103 for Al and W,
0.0105 for Cu and InP, 0.0131 for Si."""


def melting_estimate(frames: Sequence[Frame]) -> float:
    """Melting temperature in K within some 30 %, by Lindemann's rule from bulk modulus and volume of the data.

    Raises
    ------
    InputError
        If the data determine no bulk modulus.
    """
    fit = elasticity_of(frames)
    if fit is None or "bulk_modulus" not in fit.values:
        raise InputError(
            "the training frames determine no bulk modulus, from which the melting point is estimated",
            key="melting_fraction",
            remedy="give a temperature instead",
        )
    crystal = fit.cells.reference
    volume = crystal.get_volume() / len(crystal)
    return float(_LINDEMANN * fit.values["bulk_modulus"] * GPa * volume / kB)
