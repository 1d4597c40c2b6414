"""What XPOT proposes for GAP when it has looked at the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_SPARSE, _FEWEST_SPARSE = 500, 20
_ATOMS_EACH = 3
"""Atoms in the training set for each sparse point of SOAP."""


def propose(*, atoms: int, cutoff: Mapping[str, float], **others: Any) -> dict[str, Any]:
    """Pairs and SOAP, with the hyperparameters that the method was published with.

    Parameters
    ----------
    atoms
        Number of atoms in the training set.
    cutoff
        Range of cutoffs that goes with the distances in the data, Å.
    **others
        Facts that are of no use here.
    """
    sparse = min(max(atoms // _ATOMS_EACH, _FEWEST_SPARSE), _MOST_SPARSE)
    soap = {
        "cutoff": dict(cutoff),
        "atom_sigma": "tune",
        "zeta": "tune",
        "n_max": 8,
        "l_max": 4,
        "n_sparse": sparse,
    }
    return {"descriptors": [{"distance_2b": {"cutoff": cutoff["max"], "n_sparse": 20}}, {"soap": soap}]}
