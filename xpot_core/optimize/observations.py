"""What every optimizer needs from a history: usable observations, seeds per ask, no duplicates.

An optimizer is a function of history. These helpers hold what that takes in one place, so that an
optimizer plugin is only the adapter to its library.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpot_core.space.history import History
from xpot_core.space.parameters import Choice, Float, Int, Space
from xpot_core.types.structures import FloatArray
from xpot_core.types.trials import Trial, TrialState

_log = logging.getLogger("xpot.optimizer")
_DRAWS = 200
_SCAN = 100_000


@dataclass(frozen=True, eq=False)
class Observation:
    """One trial as an optimizer sees it.

    Attributes
    ----------
    number
        Number of the trial.
    values
        A value for every hyperparameter of the space.
    point
        The values in the unit cube; beyond it where a prior trial lies outside of a range.
    objectives
        What is minimised, all finite; None for pending trials and for those that came to nothing.
    inside
        Whether all values lie within the ranges.
    from_prior
        The trial was made by an earlier study.
    refused_loss
        The finite loss of a trial that a constraint refused, in a study of one objective; else None.
    """

    number: int
    values: Mapping[str, Any]
    point: FloatArray
    objectives: tuple[float, ...] | None
    inside: bool = True
    from_prior: bool = False
    refused_loss: float | None = None

    @property
    def loss(self) -> float:
        """The scalar loss of a complete observation."""
        if self.objectives is None:
            raise ValueError(f"trial {self.number} has no loss")
        return self.objectives[0]


@dataclass(frozen=True, eq=False)
class Observations:
    """A history sorted by what can be learned from it; each part in the order of the history.

    Attributes
    ----------
    complete
        Trials with finite objectives.
    failed
        Failed, infeasible, timed-out trials and those with a loss that is not finite: known to be
        bad, by no known amount. Never invent a number for them that the model would have to fit. Those
        that a constraint refused have a `refused_loss`, which says how good they would have been.
    pending
        Proposed and not finished.
    skipped
        Number of a trial that cannot be used and why: never an own one, unless the space changed.
    """

    complete: tuple[Observation, ...]
    failed: tuple[Observation, ...]
    pending: tuple[Observation, ...]
    skipped: tuple[tuple[int, str], ...] = ()

    @property
    def finished(self) -> tuple[Observation, ...]:
        """Complete and failed ones in the order of the history."""
        return tuple(sorted((*self.complete, *self.failed), key=_order))

    @property
    def all(self) -> tuple[Observation, ...]:
        """Complete, failed and pending ones in the order of the history."""
        return tuple(sorted((*self.complete, *self.failed, *self.pending), key=_order))

    @property
    def losses(self) -> FloatArray:
        """Losses of the complete ones, shape (n_complete,)."""
        return np.array([o.loss for o in self.complete], dtype=float)


def observe(history: History, *, outside: bool = False) -> Observations:
    """Sort the trials of a history.

    Parameters
    ----------
    history
        The history.
    outside
        Keep trials whose numbers lie beyond the ranges: for models that can learn from them. A
        trial with an unknown choice, or without one of the hyperparameters, is never usable.
    """
    parts: dict[str, list[Observation]] = {"complete": [], "failed": [], "pending": []}
    skipped = []
    for trial in history.trials:
        fault = _fault(history.space, trial.values, outside)
        if fault:
            skipped.append((trial.number, fault))
            continue
        values = {name: trial.values[name] for name in history.space.names}
        objectives = _objectives(trial, len(history.objectives))
        observation = Observation(
            trial.number,
            values,
            history.space.to_unit(values),
            objectives,
            history.space.contains(values),
            trial.from_prior,
            _refused(trial) if len(history.objectives) == 1 else None,
        )
        kind = "pending" if not trial.state.finished else "failed" if objectives is None else "complete"
        parts[kind].append(observation)
    for number, reason in skipped:
        _log.debug("trial %d is of no use to the optimizer: %s", number, reason)
    return Observations(
        tuple(parts["complete"]), tuple(parts["failed"]), tuple(parts["pending"]), tuple(skipped)
    )


def own_trials(history: History) -> int:
    """How many trials this study has proposed; those of earlier studies do not count."""
    return sum(not t.from_prior for t in history.trials)


def seed_for(history: History, index: int, purpose: str = "") -> int:
    """A seed below 2**32 for the ask of the trial with this index.

    It depends on the study's seed, the index and the purpose alone, so an optimizer made afresh at
    any point of a study goes on exactly as one that has lived through it.
    """
    return int(_sequence(history, index, purpose).generate_state(1)[0])


def rng_for(history: History, index: int, purpose: str = "") -> np.random.Generator:
    """A random generator with the same properties as `seed_for`."""
    return np.random.default_rng(_sequence(history, index, purpose))


class Proposed:
    """The points already proposed; gives a new one where a proposal would repeat one of them."""

    def __init__(self, space: Space, values: Iterable[Mapping[str, Any]] = ()) -> None:
        self.space = space
        self._keys = {self._key(v) for v in values}

    def __contains__(self, values: Mapping[str, Any]) -> bool:
        return self._key(values) in self._keys

    def add(self, values: Mapping[str, Any]) -> None:
        """Remember a proposal."""
        self._keys.add(self._key(values))

    def replace_duplicate(self, values: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """The values if they are new, else a random new point, which is remembered.

        Returns None when the space is finite and every point of it has been proposed.
        """
        found = dict(values)
        draws = 0
        while found in self:
            if draws == _DRAWS:
                unseen = self._unseen(rng)
                if unseen is None:
                    return None
                found = unseen
                break
            found = self.space.from_unit(rng.random(len(self.space)).tolist())
            draws += 1
        self.add(found)
        return found

    def _key(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        key: list[Any] = []
        for parameter in self.space:
            value = values[parameter.name]
            if isinstance(parameter, Choice):
                key.append(parameter.index(value))
            elif isinstance(parameter, Float):
                # Points closer than this are the same to any fit.
                key.append(round(parameter.to_unit(value), 9))
            else:
                key.append(value)
        return tuple(key)

    def _unseen(self, rng: np.random.Generator) -> dict[str, Any] | None:
        sizes = []
        for parameter in self.space:
            if isinstance(parameter, Float):
                return self.space.from_unit(rng.random(len(self.space)).tolist())
            sizes.append(
                len(parameter.choices)
                if isinstance(parameter, Choice)
                else parameter.high - parameter.low + 1
            )
        total = math.prod(sizes)
        if total > _SCAN:
            return self.space.from_unit(rng.random(len(self.space)).tolist())
        start = int(rng.integers(total))
        for offset in range(total):
            rest = (start + offset) % total
            values: dict[str, Any] = {}
            for parameter, size in zip(self.space, sizes, strict=True):
                rest, digit = divmod(rest, size)
                if isinstance(parameter, Choice):
                    values[parameter.name] = parameter.choices[digit]
                elif isinstance(parameter, Int):
                    values[parameter.name] = parameter.low + digit
            if values not in self:
                return values
        return None


def _order(observation: Observation) -> tuple[bool, int]:
    return (not observation.from_prior, observation.number)


def _sequence(history: History, index: int, purpose: str) -> np.random.SeedSequence:
    return np.random.SeedSequence([history.seed % 2**64, index, zlib.crc32(purpose.encode())])


def _objectives(trial: Trial, count: int) -> tuple[float, ...] | None:
    if trial.state is TrialState.PRUNED and count == 1:
        # It was worse than the median at that step; what it would have come to is not far below.
        return None if trial.stopped_loss is None else (trial.stopped_loss,)
    if trial.state is not TrialState.COMPLETE:
        return None
    if count == 1:
        values: tuple[float | None, ...] = (
            trial.loss if trial.loss is not None else (*trial.objectives, None)[0],
        )
    else:
        values = trial.objectives
    if len(values) != count:
        return None
    finite = tuple(float(v) for v in values if v is not None and math.isfinite(v))
    return finite if len(finite) == count else None


def _refused(trial: Trial) -> float | None:
    loss = trial.refused_loss
    return float(loss) if loss is not None and math.isfinite(loss) else None


def _fault(space: Space, values: Mapping[str, Any], outside: bool) -> str:
    """Why a trial cannot be used; empty if it can."""
    extra = set(values) - set(space.names)
    if extra:
        return f"'{min(extra)}' is not searched here"
    for parameter in space:
        if parameter.name not in values:
            return f"has no value of '{parameter.name}'"
        value = values[parameter.name]
        if parameter.contains(value):
            continue
        if isinstance(parameter, Choice):
            return f"'{parameter.name}' = {value!r} is not one of the choices"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"'{parameter.name}' = {value!r} is no number"
        if parameter.log and value <= 0:
            return f"'{parameter.name}' = {value!r} has no place on a logarithmic scale"
        if not outside:
            return f"'{parameter.name}' = {value!r} is outside of {parameter.low}..{parameter.high}"
    return ""
