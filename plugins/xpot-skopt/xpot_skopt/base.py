"""What Gaussian process and forest share: initial design, targets, one model per ask, liars."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from scipy.stats import qmc
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from xpot_core.api import (
    Candidate,
    FloatArray,
    History,
    Observations,
    Proposed,
    Space,
    observe,
    own_trials,
    rng_for,
    seed_for,
)
from xpot_skopt.encoding import Encoder
from xpot_skopt.options import SkoptOptions

O = TypeVar("O", bound=SkoptOptions)  # noqa: E741
_FEWEST = 2
_INCUMBENTS = 5
_SMALL_GRID = 100_000


class Model(Protocol):
    """A fitted surrogate as the acquisition functions of scikit-optimize use it."""

    def predict(self, X: FloatArray, return_std: bool = False) -> Any:
        """Mean, and standard deviation if asked for."""
        ...


class SurrogateOptimizer(Generic[O]):
    """An initial design, then the best points of an acquisition function on a surrogate.

    Nothing is carried from one ask to the next but caches keyed on their inputs, and every ask seeds
    its random numbers from (seed, index of the trial): a fresh object continues a history as the old
    one would have.
    """

    def __init__(self, options: O) -> None:
        self.options = options

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """Propose n candidates; the model's costly part is done once for all of them."""
        observed = observe(history, outside=True)
        encoder = Encoder(history.space)
        known = Proposed(history.space, (o.values for o in observed.all))
        lies = [o.point for o in observed.pending]
        first = own_trials(history)
        suggestions: list[Candidate] = []
        with calmly():
            for index in range(first, first + n):
                rng = rng_for(history, index, "skopt")
                point = self._designed(history, observed, index)
                if point is None and len(observed.complete) < _FEWEST:
                    point = rng.random(len(history.space))
                if point is None:
                    point = self._propose(encoder, observed, np.array(lies), history, index, rng)
                values = known.settle(history.space.from_unit(point.tolist()), rng)
                if values is None:
                    break
                suggestions.append(Candidate(values))
                lies.append(history.space.to_unit(values))
        return suggestions

    def fit(self, x: FloatArray, y: FloatArray, n_finished: int, history: History, index: int) -> Model:
        """Fit the surrogate; the rows from `n_finished` on are lies about pending trials."""
        raise NotImplementedError

    def maximise(
        self, model: Model, encoder: Encoder, points: FloatArray, y: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """The point to try next, from the candidates or near them."""
        raise NotImplementedError

    def _designed(self, history: History, observed: Observations, index: int) -> FloatArray | None:
        taught = sum(o.from_prior for o in observed.complete)
        if index >= self.options.initial - taught:
            return None
        kind, size = self.options.initial_design, self.options.initial
        points: FloatArray = initial_design(history.space, kind, size, seed_for(history, 0, "design"))[index]
        return points

    def _propose(
        self,
        encoder: Encoder,
        observed: Observations,
        lies: FloatArray,
        history: History,
        index: int,
        rng: np.random.Generator,
    ) -> FloatArray:
        points, y = self._targets(observed)
        best = points[np.argsort(y, kind="stable")[:_INCUMBENTS]]
        finished = len(y)
        if len(lies):
            lie = {"cl_min": y.min(), "cl_mean": y.mean(), "cl_max": y.max()}[self.options.liar]
            points, y = np.vstack([points, lies]), np.append(y, np.full(len(lies), lie))
        model = self.fit(encoder.features(points), y, finished, history, index)
        return self.maximise(model, encoder, encoder.candidates(best, self.options.candidates, rng), y, rng)

    def _targets(self, observed: Observations) -> tuple[FloatArray, FloatArray]:
        """Points and what the model is to learn there."""
        losses = observed.losses
        scaled = np.log(losses) if self.options.loss_scale == "log" and losses.min() > 0 else losses
        by_number = {o.number: y for o, y in zip(observed.complete, scaled, strict=True) if not o.from_prior}
        prior = {o.number: y for o, y in zip(observed.complete, scaled, strict=True) if o.from_prior}
        bad = scaled.max() if self.options.failed == "worst" else float(np.median(scaled))
        points, y = [], []
        for o in observed.finished:
            if o.objectives is None and self.options.failed == "ignore":
                continue
            points.append(o.point)
            y.append(bad if o.objectives is None else (prior if o.from_prior else by_number)[o.number])
        return np.array(points), np.array(y, dtype=float)


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


@contextmanager
def calmly() -> Iterator[None]:
    """On one thread, without warnings on rounding errors and sample sizes.

    The matrices are small: threads cost more than they bring, ruin it where workers keep the cores
    busy, and make the last digits, so in the end the suggestions, depend on the machine.
    """
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.filterwarnings("ignore", module=r"skopt\.|sklearn\.")
        warnings.filterwarnings("ignore", message="Predicted variances smaller than 0")
        warnings.filterwarnings("ignore", message="The balance properties of Sobol")
        yield
