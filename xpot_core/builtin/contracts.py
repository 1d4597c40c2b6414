"""How the conformance kit tests the built-in providers where its defaults do not fit."""

from __future__ import annotations

from typing import Any

RANDOM: dict[str, Any] = {"learns": False}
SOBOL: dict[str, Any] = {"learns": False}
GRID: dict[str, Any] = {"options": {"levels": 2}, "learns": False, "seeded": False}
SERIAL: dict[str, Any] = {"isolated": False}
NUMPY_PAIR: dict[str, Any] = {"tiny_options": {"cutoff": 4.8, "widths": [0.4, 0.8], "n_basis": 4}}
PANEL: dict[str, Any] = {
    "good_passes": False,
    # the tests of the plugins say themselves which of their numbers are timings
    "noise": 1e-3,
}
NUMPY_DESCENT: dict[str, Any] = {
    "tiny_options": {"cutoff": 4.8, "n_basis": 4, "epochs": 60, "learning_rate": 0.1},
    "other_values": {"batch_size": 2},  # batches are of equal size: 5 structures in one are no more than 4
}
