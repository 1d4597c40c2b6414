"""Options of the fitter ``pair``."""

from __future__ import annotations

from xpot_linear import LinearOptions

from xpot_core.api import Range, option


class PairOptions(LinearOptions):
    """Polynomials of the distance for each pair of elements; weights and ridge come from the library."""

    cutoff: float = option(
        6.0,
        "Distance where the potential ends.",
        tune=Range(3.0, 8.0),
        role="cutoff",
        stage="descriptors",
        gt=0,
    )
    order: int = option(
        6, "Number of polynomials for each pair of elements.", role="size", stage="descriptors", ge=1, le=20
    )
