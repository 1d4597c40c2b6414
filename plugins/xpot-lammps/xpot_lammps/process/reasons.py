"""Why a potential may fail a physical test: codes and what they mean, for those that several tests share."""

from __future__ import annotations

from collections.abc import Mapping

PROCESS: Mapping[str, str] = {
    "timeout": "the test took longer than its option timeout allows",
    "crash": "the process of the test died",
    "error": "LAMMPS or the calculator reports an error",
    "not-finite": "energies, forces or what is made of them are not finite numbers",
}
"""Of every test."""
RELAXED: Mapping[str, str] = {
    "collapse": "the crystal does not keep its volume when it is relaxed",
    "relaxation": "the relaxation does not end",
    "reference": "a value is further from its reference than the tolerance",
}
"""Of tests of a relaxed crystal."""
DYNAMICS: Mapping[str, str] = {
    "temperature": "molecular dynamics grows hotter than max_temperature",
    "energy": "the potential energy leaves the start by more than max_energy_change",
    "distance": "two atoms come nearer than min_distance_ratio allows",
    "volume": "the volume changes by more than max_volume_ratio",
    "lost-atoms": "atoms leave the box",
}
"""Of molecular dynamics."""
