"""Optimizers that learn nothing: random, sobol and grid.

Suggestion k of a study depends on the seed and on k alone, the number of trials that the study itself
has proposed, so a resumed study goes on with the sequence where it was.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xpot_core.builtin.optimizer_options import DEFAULT_LEVELS, GridOptions, RandomOptions, SobolOptions
from xpot_core.errors import InputError, nearest
from xpot_core.optimize.observations import own_trials, rng_for, seed_for
from xpot_core.space.history import History
from xpot_core.space.parameters import Choice, Int, Parameter, Space
from xpot_core.types.trials import Candidate


class RandomOptimizer:
    """Independent points, uniform on the scale of each hyperparameter."""

    def __init__(self, options: RandomOptions) -> None:
        self.options = options

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """The next n points of the sequence."""
        first = own_trials(history)
        space = history.space
        return [
            Candidate(space.from_unit(rng_for(history, index, "random").random(len(space)).tolist()))
            for index in range(first, first + n)
        ]


class SobolOptimizer:
    """Points of a Sobol sequence."""

    def __init__(self, options: SobolOptions) -> None:
        self.options = options

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """The next n points of the sequence."""
        from scipy.stats import qmc

        space = history.space
        sequence = qmc.Sobol(len(space), scramble=self.options.scramble, seed=seed_for(history, 0, "sobol"))
        done = own_trials(history)
        if done:
            sequence.fast_forward(done)
        # One at a time: drawing n at once would be checked for n being a power of two.
        return [Candidate(space.from_unit(sequence.random(1)[0].tolist())) for _ in range(n)]


class GridOptimizer:
    """Every combination of a few values of each hyperparameter, once."""

    def __init__(self, options: GridOptions) -> None:
        self.options = options

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """The next n points of the grid; fewer at its end."""
        axes = self._axes(history.space)
        size = math.prod(len(axis) for axis in axes)
        first = own_trials(history)
        return [
            Candidate(self._point(history, axes, size, index)) for index in range(first, min(first + n, size))
        ]

    def _axes(self, space: Space) -> list[list[Any]]:
        levels = self.options.levels
        if isinstance(levels, dict):
            known = {prefix for name in space.names for prefix in _prefixes(name)}
            for name in levels:
                if name not in known:
                    raise InputError(
                        "is no hyperparameter of this study",
                        key=f"levels.{name}",
                        remedy=nearest(name, sorted(known)),
                    )
        return [_axis(parameter, _levels(levels, parameter.name)) for parameter in space]

    def _point(self, history: History, axes: list[list[Any]], size: int, index: int) -> dict[str, Any]:
        if self.options.order == "shuffled":
            index = _shuffled(index, size, seed_for(history, 0, "grid"))
        digits = []
        for axis in reversed(axes):
            index, digit = divmod(index, len(axis))
            digits.append(axis[digit])
        return dict(zip(history.space.names, reversed(digits), strict=True))


def _prefixes(name: str) -> list[str]:
    """``eweight.Elastic`` -> ``[eweight, eweight.Elastic]``."""
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _levels(levels: int | dict[str, int], name: str) -> int:
    if isinstance(levels, int):
        return levels
    named = [levels[prefix] for prefix in _prefixes(name) if prefix in levels]
    return named[-1] if named else DEFAULT_LEVELS


def _axis(parameter: Parameter, levels: int) -> list[Any]:
    if isinstance(parameter, Choice):
        return list(parameter.choices)
    units = np.linspace(0.0, 1.0, levels) if levels > 1 else np.array([0.5])
    values = [parameter.from_unit(u) for u in units]
    if isinstance(parameter, Int):
        # A narrow range holds fewer integers than levels.
        return sorted(set(values))
    return values


def _shuffled(index: int, size: int, seed: int) -> int:
    """A permutation of ``range(size)`` that needs no memory: an affine map with a coprime factor."""
    if size < 3:
        return index
    # Near the golden section of the size, successive indices fall far apart.
    factor = size * 618_034 // 1_000_000 + seed % max(size // 10, 1)
    while math.gcd(factor, size) != 1:
        factor += 1
    return (index * factor + seed) % size
