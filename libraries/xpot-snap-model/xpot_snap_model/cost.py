"""What one step of molecular dynamics costs by the descriptors' size alone: no clock, no noise.

The unit is the work on one component of the expansion coefficients U for one neighbour. The factors
were fitted to CPU times of ``pair_style snap`` (2025-07-22) for silicon, twojmax 2 to 10, linear and
quadratic, cutoffs 4.0 and 5.5 Å; they give these times to 26 %, over a range of a factor of 85.
"""

from __future__ import annotations

from xpot_snap_model.columns import bispectrum_indices
from xpot_snap_model.settings import DescriptorSettings

_NEIGHBOUR = 5.6  # finding and mapping a neighbour
_Z = 0.0247  # one term of the products of U with U
_QUADRATIC = 1.41  # one coefficient of the quadratic form


def cost(settings: DescriptorSettings) -> dict[str, float]:
    """Work per atom and step: ``per_atom + per_neighbour * neighbours within cutoff`` (Å).

    Parameters
    ----------
    settings
        Of the descriptors.
    """
    j_max = max(settings.twojmax)
    n = len(settings.elements) if settings.chem else 1
    triples = bispectrum_indices(j_max)
    u = sum((j // 2 + 1) * (j + 1) for j in range(j_max + 1))
    products = sum(
        (j // 2 + 1) * (j + 1) * (min(j1, j2) + 1) ** 2
        for j1 in range(j_max + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(j_max, j1 + j2) + 1, 2)
    )
    components = len(triples) * n**3
    return {
        "cutoff": settings.cutoff,
        "per_neighbour": _NEIGHBOUR + u * n,
        "per_atom": _Z * products * n**2 + (_QUADRATIC * components**2 if settings.quadratic else 0.0),
    }
