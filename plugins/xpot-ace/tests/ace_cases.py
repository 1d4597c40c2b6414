"""Bases and structures of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.build import fcc111
from xpot_ace.descriptors.basis import AceBasis
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.potential_section import LINEAR, per_element, potential_section

from xpot_core.testing.frames import frame

SHAPE = {"nradmax_by_orders": [4, 2, 1], "lmax_by_orders": [0, 2, 1]}
# functions that end within a step of differences cannot be judged by them, so dcut is wide
SMALL: dict[str, Any] = {
    "order": 3,
    "cutoff": 4.0,
    "radbase": "ChebExpCos",
    "dcut": 0.1,
    "functions": 60,
    **SHAPE,
    "binary": SHAPE,
}


def basis(elements: tuple[str, ...], **changes: Any) -> AceBasis:
    options = AceOptions(**{**SMALL, **changes})
    return AceBasis(
        potential_section(options, elements, LINEAR),
        per_element(options.functions, elements, "functions"),
        options.smoothness,
        options.virials,
        options.angular_weight,
    )


def slab() -> Atoms:
    atoms = fcc111("Al", (2, 2, 3), a=4.05, vacuum=5.0)
    atoms.symbols[:] = "Si"
    atoms.rattle(0.1, seed=1)
    return atoms


def with_virial(atoms: Atoms):
    """A frame whose rows have a virial."""
    return frame(atoms, virial=np.zeros((3, 3)), source="case")


def differences(values, step: float = 1e-4):
    """Derivative from values at -2, -1, 1, 2 steps."""
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)


STEPS = (-2e-4, -1e-4, 1e-4, 2e-4)
