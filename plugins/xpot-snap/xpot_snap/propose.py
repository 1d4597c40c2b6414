"""What XPOT proposes for SNAP when it has looked at the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

from xpot_core.api import pair_name

_COMPONENTS = 30
"""Bispectrum components of twojmax 6."""
_ROWS_EACH = 3
"""Rows that tell something for each coefficient, below which the quadratic form is not worth it."""
_ANGLES = {"min": 0.4, "max": 1.2, "log": False}
"""For rfac0: the best of Si, Mo and Cu have 0.5 to 1.1."""
_RIDGE = {"min": 1.0e-13, "max": 1.0e-6, "log": True}
"""For many columns that nearly depend on each other; from 1e-9 on it costs accuracy."""
_VIRIALS = {"min": 0.003, "max": 3.0, "log": True}
"""A GPa beside 100 meV/Å, and less: where energies of strained cells and stresses disagree by the calculation they come
from, as for copper of Zuo et al., a weight of 0.3 triples the error of energies."""
_OUTER = 0.85
"""Where the repulsion has vanished, in nearest-neighbour distances: it must not reach into the bonds."""
_INNER = 0.85
"""Where its switching starts, as a share of that distance: below the data a narrow switching costs no error, and
what is switched off early leaves a hole. For InP 0.85 instead of 0.59 made it a quarter shallower."""
_BELOW = 0.95
"""Nor may it reach into the data, by its end in shortest distances: it made force errors of Cu five times as large."""


def propose(
    *,
    elements: Sequence[str],
    frames: int,
    atoms: int,
    neighbour: float,
    shortest: float = math.inf,
    pairs: Mapping[str, tuple[float, float]] | None = None,
    components: int | None = None,
    virials: bool = False,
    **others: Any,
) -> dict[str, Any]:
    """Options that depend on the data: the quadratic form, its ridge, the repulsion at short range.

    Parameters
    ----------
    elements, frames, atoms
        Of the training set.
    neighbour
        Distance to the nearest neighbour of a typical atom, Å; NaN where there is none.
    shortest
        The shortest distance of all, Å.
    pairs
        The same two distances for each pair of elements, under its `pair_name`; at most the ones up to which
        neighbours were looked for.
    components
        Components of forces and virials that are distinct and not zero: what symmetry makes vanish or repeats is a
        row without news. None takes those of all forces.
    virials
        Whether any structure has a virial.
    **others
        Facts that are of no use here.
    """
    quadratic = len(elements) * (_COMPONENTS + _COMPONENTS * (_COMPONENTS + 1) // 2)
    # rmin0 moves the errors less than another split of the folds does
    found: dict[str, Any] = {"twojmax": 6, "rfac0": dict(_ANGLES), "rmin0": None}
    if virials:
        found["vweight"] = dict(_VIRIALS)
    if frames + (3 * atoms if components is None else components) > _ROWS_EACH * quadratic:
        found["quadratic"] = True
        found["ridge"] = dict(_RIDGE)
    if not math.isnan(neighbour):
        found["reference"] = "zbl"
        found["zbl_inner"], found["zbl_outer"] = _radii(neighbour, shortest)
    if not math.isnan(neighbour) and len(elements) > 1 and pairs:
        # what ends before the shortest pair leaves the larger atoms bare
        names = [pair_name(a, b) for a, b in combinations_with_replacement(elements, 2)]
        radii = {name: _radii(*pairs.get(name, (neighbour, shortest))) for name in names}
        found["zbl_inner"] = {name: inner for name, (inner, _) in radii.items()}
        found["zbl_outer"] = {name: outer for name, (_, outer) in radii.items()}
    return found


def _radii(neighbour: float, shortest: float) -> tuple[float, float]:
    """Where ZBL starts to be switched off and where it ends, Å."""
    outer = min(_OUTER * neighbour, _BELOW * shortest)
    return round(_INNER * outer, 2), round(outer, 2)
