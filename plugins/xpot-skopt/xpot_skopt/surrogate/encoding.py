"""From the unit cube to the features of a model, and the points that are worth evaluating."""

from __future__ import annotations

import numpy as np

from xpot_core.api import Choice, FloatArray, Int, Space

_TABLE = 10_000


class Encoder:
    """Maps rows of the unit cube to features: numbers as they are, choices one-hot.

    Attributes
    ----------
    free
        Feature columns that vary continuously.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._levels: dict[int, FloatArray] = {}
        self._choices: dict[int, int] = {}
        free, column = [], 0
        self.free_points: list[int] = []
        for i, parameter in enumerate(space):
            if isinstance(parameter, Choice):
                self._choices[i] = len(parameter.choices)
                column += self._width(i)
                continue
            if isinstance(parameter, Int) and parameter.high - parameter.low < _TABLE:
                values = range(parameter.low, parameter.high + 1)
                self._levels[i] = np.array([parameter.to_unit(v) for v in values])
            else:
                free.append(column)
                self.free_points.append(i)
            column += 1
        self.free = np.array(free, dtype=int)
        self.n_features = column

    def snap(self, points: FloatArray) -> FloatArray:
        """Move integers and choices to the points that stand for their values."""
        snapped = np.clip(points, 0.0, 1.0)
        for i, levels in self._levels.items():
            middles = (levels[1:] + levels[:-1]) / 2
            snapped[:, i] = levels[np.searchsorted(middles, snapped[:, i])]
        for i, size in self._choices.items():
            snapped[:, i] = (self._index(snapped[:, i], size) + 0.5) / size
        return snapped

    def features(self, points: FloatArray) -> FloatArray:
        """Feature rows of snapped points; numbers beyond [0, 1] stay what they are."""
        columns = []
        for i in range(points.shape[1]):
            if i not in self._choices:
                columns.append(points[:, i : i + 1])
            else:
                size = self._choices[i]
                one_hot = np.eye(size)[self._index(points[:, i], size)]
                # Two choices need one column only.
                columns.append(one_hot[:, -self._width(i) :])
        return np.hstack(columns)

    def candidates(self, best: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
        """Snapped points to look at: random ones, and neighbours of the best so far.

        In ten and more dimensions random points alone hardly ever come near the incumbent.
        """
        dimension = len(self.space)
        local = count // 4 if len(best) else 0
        points = rng.random((count - local, dimension))
        if local:
            centres = best[rng.integers(len(best), size=local)]
            widths = 10.0 ** rng.uniform(-2.5, -0.5, size=(local, 1))
            # Each neighbour moves in a random subset of the hyperparameters, at least in one.
            moved = rng.random((local, dimension)) < rng.uniform(1 / dimension, 1.0, size=(local, 1))
            moved[np.arange(local), rng.integers(dimension, size=local)] = True
            neighbours = centres + moved * widths * rng.standard_normal((local, dimension))
            for i in (*self._levels, *self._choices):
                jump = moved[:, i] & (rng.random(local) < 0.5)
                neighbours[jump, i] = rng.random(int(jump.sum()))
            points = np.vstack([points, neighbours])
        return self.snap(points)

    def _width(self, i: int) -> int:
        return 1 if self._choices[i] <= 2 else self._choices[i]

    @staticmethod
    def _index(column: FloatArray, size: int) -> np.ndarray:
        index: np.ndarray = np.clip((column * size).astype(int), 0, size - 1)
        return index
