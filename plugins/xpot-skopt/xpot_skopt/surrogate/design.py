"""Initial designs: points that cover the unit cube before a model can learn."""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from xpot_core.api import FloatArray, Space

_SMALL_GRID = 100_000


def initial_design(space: Space, kind: str, size: int, seed: int) -> FloatArray:
    """Points of the unit cube, shape (size, d), by the names of scikit-optimize.

    The sequences are scipy's, scrambled by the seed: scikit-optimize's Sobol ends at 40 dimensions, which
    weights per group exceed, and its others are slow there or the same for every seed.
    """
    dimension = len(space)
    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.random((size, dimension))
    if kind == "grid":
        return _grid(size, dimension, rng)
    if kind == "sobol":
        return np.asarray(qmc.Sobol(dimension, seed=seed).random(size))
    if kind == "lhs":
        return np.asarray(qmc.LatinHypercube(dimension, seed=seed).random(size))
    if kind == "halton":
        return np.asarray(qmc.Halton(dimension, seed=seed).random(size))
    # Hammersley: one coordinate in even steps, here in a random place, Halton in the others.
    even = (np.arange(size)[:, None] + 0.5) / size
    if dimension == 1:
        return rng.permutation(even)
    rest = qmc.Halton(dimension - 1, seed=seed).random(size)
    return np.insert(rest, int(rng.integers(dimension)), even[:, 0], axis=1)


def _grid(size: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    """Points of the smallest full grid that has enough of them, without its border.

    scikit-optimize's own makes the whole grid: 2**d points, beyond any memory at 30 dimensions, and
    fewer than asked for in one.
    """
    levels = 1
    while levels**dimension < size:
        levels += 1
    if levels**dimension <= _SMALL_GRID:
        chosen = rng.permutation(levels**dimension)[:size]
        digits = np.array(np.unravel_index(chosen, (levels,) * dimension)).T
    else:
        digits = np.zeros((0, dimension), dtype=int)
        while len(digits) < size:
            digits = np.unique(np.vstack([digits, rng.integers(levels, size=(size, dimension))]), axis=0)
        digits = rng.permutation(digits)[:size]
    points: FloatArray = np.asarray(digits + 1.0, dtype=float) / (levels + 1.0)
    return points
