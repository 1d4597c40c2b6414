"""What Gaussian process and forest share: initial design, targets, one model per ask, liars."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
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
from xpot_skopt.options import SurrogateOptions
from xpot_skopt.surrogate.chance import Chance, Model
from xpot_skopt.surrogate.design import initial_design
from xpot_skopt.surrogate.encoding import Encoder

O = TypeVar("O", bound=SurrogateOptions)  # noqa: E741
_INCUMBENTS = 5


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
        observed = self.observed(history)
        encoder = Encoder(history.space)
        known = Proposed(history.space, (o.values for o in observed.all))
        placeholders = [o.point for o in observed.pending]
        first = own_trials(history)
        suggestions: list[Candidate] = []
        with single_threaded():
            for index in range(first, first + n):
                rng = rng_for(history, index, "skopt")
                point = self._designed(history, observed, index)
                if point is None and not self._enough(observed, history):
                    point = rng.random(len(history.space))
                if point is None:
                    point = self._propose(encoder, observed, np.array(placeholders), history, index, rng)
                values = known.replace_duplicate(history.space.from_unit(point.tolist()), rng)
                if values is None:
                    break
                suggestions.append(Candidate(values))
                placeholders.append(history.space.to_unit(values))
        return suggestions

    def observed(self, history: History) -> Observations:
        """What is learned from."""
        return observe(history, outside=True)

    def fit(self, x: FloatArray, y: FloatArray, n_finished: int, history: History, index: int) -> Model:
        """Fit the surrogate; the rows from `n_finished` on are placeholders about pending trials."""
        raise NotImplementedError

    def classify(self, x: FloatArray, labels: FloatArray, history: History, index: int) -> Model:
        """Fit a model of the labels 1 (passed) and -1 (refused)."""
        return self.fit(x, labels, len(labels), history, index)

    def pretended(
        self,
        x: FloatArray,
        y: FloatArray,
        allowed: np.ndarray,
        pending: FloatArray,
        history: History,
        index: int,
    ) -> FloatArray:
        """The losses that pending trials are taken to have.

        Parameters
        ----------
        x, y
            Features and losses of finished trials.
        allowed
            Which of them may win.
        pending
            Features of the pending ones.
        """
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
        kind, size = self.options.initial_design, self.initial(history)
        if index >= size - taught:
            return None
        points = initial_design(history.space, kind, size, seed_for(history, 0, "design"))
        point: FloatArray = self.placed(points, history.space)[index]
        return point

    def placed(self, points: FloatArray, space: Space) -> FloatArray:
        """Where an initial design lies, shape (n, d): everywhere in the unit cube."""
        return points

    def fewest(self, history: History) -> int:
        """Losses from which on there is something to model."""
        return 2

    def initial(self, history: History) -> int:
        """Trials of the initial design."""
        raise NotImplementedError

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
            chance = Chance(self.classify(features[judged], labels, history, index))
        if len(placeholders):
            pending = encoder.features(placeholders)
            y = np.append(y, self.pretended(features, y, allowed, pending, history, index))
            allowed = np.append(allowed, np.full(len(pending), True))
            features = np.vstack([features, pending])
        model = self.fit(features, y, finished, history, index)
        candidates = encoder.candidates(targets.best, self.options.candidates, rng)
        return self.maximise(model, encoder, candidates, y[allowed], rng, chance)

    def _learned(self, observation: Observation) -> float | None:
        """The loss of a trial: its own, and that of a refused one unless it is to count as failed."""
        if observation.objectives is not None:
            return observation.loss
        return observation.refused_loss if self.options.refused == "learn" else None

    def _enough(self, observed: Observations, history: History) -> bool:
        losses = sum(self._learned(o) is not None for o in observed.finished)
        return bool(observed.complete) and losses >= self.fewest(history)

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
