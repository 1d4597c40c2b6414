"""What Gaussian process and forest share: initial design, targets, one model per ask, liars."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy.stats import qmc
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from xpot_core.api import (
    Candidate,
    FloatArray,
    History,
    Observation,
    Observations,
    Proposed,
    Space,
    observe,
    own_trials,
    rng_for,
    seed_for,
)
from xpot_skopt.acquisition import Chance, Model
from xpot_skopt.encoding import Encoder
from xpot_skopt.options import SkoptOptions

O = TypeVar("O", bound=SkoptOptions)  # noqa: E741
_FEWEST = 2
"""Losses from which on there is something to model."""
_INCUMBENTS = 5
_SMALL_GRID = 100_000


@dataclass(frozen=True, eq=False)
class TrainingTargets:
    """What the models are told of finished trials.

    Attributes
    ----------
    points
        Rows of the unit cube, shape (n, d).
    y
        The loss on the scale of the model, shape (n,).
    verdict
        1 for a trial that may win, -1 for one that a constraint refused, 0 for one without a loss, shape (n,).
    """

    points: FloatArray
    y: FloatArray
    verdict: FloatArray

    @property
    def best(self) -> FloatArray:
        """Points of the best trials that no constraint refused, best first."""
        allowed = self.verdict >= 0
        points: FloatArray = self.points[allowed]
        return points[np.argsort(self.y[allowed], kind="stable")[:_INCUMBENTS]]


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
        placeholders = [o.point for o in observed.pending]
        first = own_trials(history)
        suggestions: list[Candidate] = []
        with single_threaded():
            for index in range(first, first + n):
                rng = rng_for(history, index, "skopt")
                point = self._designed(history, observed, index)
                if point is None and not self._enough(observed):
                    point = rng.random(len(history.space))
                if point is None:
                    point = self._propose(encoder, observed, np.array(placeholders), history, index, rng)
                values = known.replace_duplicate(history.space.from_unit(point.tolist()), rng)
                if values is None:
                    break
                suggestions.append(Candidate(values))
                placeholders.append(history.space.to_unit(values))
        return suggestions

    def fit(self, x: FloatArray, y: FloatArray, n_finished: int, history: History, index: int) -> Model:
        """Fit the surrogate; the rows from `n_finished` on are placeholders about pending trials."""
        raise NotImplementedError

    def maximise(
        self,
        model: Model,
        encoder: Encoder,
        points: FloatArray,
        y: FloatArray,
        rng: np.random.Generator,
        chance: Chance | None,
    ) -> FloatArray:
        """The point to try next, from the candidates or near them.

        Parameters
        ----------
        y
            What the model was told of trials that may win.
        chance
            Probability of passing the constraints; None where none was violated yet.
        """
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
        placeholders: FloatArray,
        history: History,
        index: int,
        rng: np.random.Generator,
    ) -> FloatArray:
        targets = self._training_targets(observed)
        y, allowed = targets.y, targets.verdict >= 0
        finished = len(y)
        features = encoder.features(targets.points)
        chance = None
        if not allowed.all():
            judged = targets.verdict != 0
            labels = targets.verdict[judged]
            chance = Chance(self.fit(features[judged], labels, len(labels), history, index))
        if len(placeholders):
            real = y[allowed]
            placeholder = {"cl_min": real.min(), "cl_mean": real.mean(), "cl_max": real.max()}[
                self.options.liar
            ]
            y, allowed = (
                np.append(a, np.full(len(placeholders), v)) for a, v in ((y, placeholder), (allowed, True))
            )
            features = np.vstack([features, encoder.features(placeholders)])
        model = self.fit(features, y, finished, history, index)
        candidates = encoder.candidates(targets.best, self.options.candidates, rng)
        return self.maximise(model, encoder, candidates, y[allowed], rng, chance)

    def _learned(self, observation: Observation) -> float | None:
        """The loss of a trial: its own, and that of a refused one unless it is to count as failed."""
        if observation.objectives is not None:
            return observation.loss
        return observation.refused_loss if self.options.refused == "learn" else None

    def _enough(self, observed: Observations) -> bool:
        losses = sum(self._learned(o) is not None for o in observed.finished)
        return bool(observed.complete) and losses >= _FEWEST

    def _training_targets(self, observed: Observations) -> TrainingTargets:
        """What the models are to learn from the history."""
        losses = np.array([loss for o in observed.finished if (loss := self._learned(o)) is not None])
        logarithmic = self.options.loss_scale == "log" and losses.min() > 0
        scaled = np.log(losses) if logarithmic else losses
        bad = scaled.max() if self.options.failed == "worst" else float(np.median(scaled))
        known = iter(scaled)
        points, y, verdict = [], [], []
        for o in observed.finished:
            loss = self._learned(o)
            if loss is None and self.options.failed == "ignore":
                continue
            points.append(o.point)
            y.append(bad if loss is None else next(known))
            verdict.append(0.0 if loss is None else 1.0 if o.objectives is not None else -1.0)
        return TrainingTargets(np.array(points), np.array(y, dtype=float), np.array(verdict))


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
def single_threaded() -> Iterator[None]:
    """On one thread, without warnings on rounding errors and sample sizes.

    The matrices are small: threads cost more than they bring, ruin it where workers keep the cores
    busy, and make the last digits, so in the end the suggestions, depend on the machine.
    """
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.filterwarnings("ignore", module=r"skopt\.|sklearn\.")
        warnings.filterwarnings("ignore", message="Predicted variances smaller than 0")
        warnings.filterwarnings("ignore", message="The balance properties of Sobol")
        yield
