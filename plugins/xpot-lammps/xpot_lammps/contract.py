"""How the conformance kit tests the validators: with the toy potential through its ASE calculator."""

from __future__ import annotations

from typing import Any

_TOY_CELL = {"frame": 3}
DIMER: dict[str, Any] = {"options": {"points": 12, "allow_holes": True}}
DATA_ELASTICITY: dict[str, Any] = {"strained": True, "good_passes": False}
EQUATION_OF_STATE: dict[str, Any] = {
    "options": {"points": 7, "structure": {"crystal": "diamond", "species": "Si", "a": 5.43}}
}
ELASTIC: dict[str, Any] = {"options": {"relax": False, "structure": _TOY_CELL}, "good_passes": False}
VACANCY: dict[str, Any] = {
    "options": {"relax": False, "min_atoms": 4, "max_force": 0.5, "structure": _TOY_CELL},
    "good_passes": False,
}
PHONONS: dict[str, Any] = {
    "options": {"relax": False, "supercell": 1, "points": 5, "structure": _TOY_CELL},
    "good_passes": False,
}
SPEED: dict[str, Any] = {
    "options": {"steps": 2, "min_atoms": 8, "repeats": 1, "min_seconds": 0.0},
    "varies": (
        "microseconds_per_atom_step",
        "reference_microseconds_per_atom_step",
        "relative_cost",
        "steps_per_second",
    ),
}
MD: dict[str, Any] = {
    "options": {"steps": 20, "temperature": 100, "min_atoms": 8, "max_temperature": 1e4},
    "ruined_fails": True,
}
MELT_QUENCH: dict[str, Any] = {
    "options": {
        "n_atoms": 8,
        "randomise_steps": 10,
        "melt_steps": 10,
        "hold_steps": 10,
        "anneal_steps": 10,
        "final_steps": 20,
        "quench_rate": 1e17,
        "min_distance_ratio": 0.0,
        "max_temperature": 1e6,
        "max_energy_change": 1000,
    },
    "good_passes": False,
}
