"""Units of the numbers that the validators tell, by name."""

from __future__ import annotations

import re

_UNITS = {
    "Å": r"lattice_constant|c|first_peak|neighbour_cutoff|largest_displacement|\S+_distance",
    "Å^3": r"volume_per_atom",
    "GPa": r"c[1-6][1-6]|c_prime|\w+_modulus|lowest_eigenvalue|mean_pressure",
    "eV": r"energy_per_atom|formation_energy\w*|relaxation_energy|deepest_hole|\S+_binding_energy",
    "eV/atom": r"energy_change",
    "meV/atom/ps": r"energy_drift",
    "K": r"\w+_temperature",
    "THz": r"gamma_optical|\w+_frequency",
    "ps": r"\w+_ps",
    "g/cm^3": r"density",
    "µs": r"\w*microseconds_per_atom_step",
    "°": r"mean_angle|angle_spread",
    "1/s": r"steps_per_second",
}
_PURE = (
    r"\w+_error|distance|cells|holes|wells|stable_fraction|failure_step|mean_coordination|\w+_fraction"
    r"|coordination_\d|n_atoms|neighbours|relative_cost|cost_proxy"
)
"""Counts, shares and ratios."""


def unit_of(name: str) -> str | None:
    """Unit of a value; empty for a count or a ratio, None where the name is not known."""
    bare = name.removeprefix("data_").removesuffix("_uncertainty")
    if re.fullmatch(_PURE, bare):
        return ""
    return next((unit for unit, names in _UNITS.items() if re.fullmatch(names, bare)), None)
