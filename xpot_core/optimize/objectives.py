"""Several objectives: their names and values, the Pareto set, and a way for any optimizer to find it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xpot_core.errors import InputError, nearest
from xpot_core.optimize.observations import own_trials, rng_for
from xpot_core.plugins.interfaces import Component, Loss, TableLoss
from xpot_core.space.history import History
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, ENERGY_SQRT, ENERGY_SQRT_UNIT, FORCE, VIRIAL
from xpot_core.types.trials import Trial, TrialState
from xpot_core.types.validating import ValidatorRow

QUANTITY_OF: Mapping[str, tuple[str, str]] = {
    ENERGY.name: (ENERGY_SQRT, ENERGY_SQRT_UNIT),
    FORCE.name: (FORCE.name, FORCE.base_unit),
    VIRIAL.name: (VIRIAL.name, VIRIAL.base_unit),
}
"""Objective -> the quantity of the error table whose RMSE it is, and its unit. The energy is that of the
loss, so that the best trial for any alpha lies on the Pareto set of energy and force."""
_RHO = 0.05


@dataclass(frozen=True)
class Objective:
    """One of the things that a study minimises.

    Attributes
    ----------
    name
        As in the study file.
    validator, value
        The validator and the name of its number; None for the loss and the errors.
    """

    name: str
    validator: str | None = None
    value: str | None = None

    @property
    def unit(self) -> str:
        """Unit of its values; empty where it is not known."""
        return QUANTITY_OF[self.name][1] if self.name in QUANTITY_OF else ""

    def of(self, loss: float, errors: ErrorTable, reports: Sequence[ValidatorRow]) -> float:
        """The objective of a trial; NaN where there are no data for it."""
        if self.name == "loss":
            return loss
        if self.validator is None:
            return errors.total(QUANTITY_OF[self.name][0]).rmse
        for report in reports:
            if report.validator == self.validator and self.value is not None:
                value = report.values.get(self.value)
                return math.nan if value is None else float(value)
        return math.nan


def read_objectives(names: Sequence[str], validators: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives that a study file names.

    Parameters
    ----------
    names
        ``objectives`` of the study file.
    validators
        Validators that the study file lists.

    Raises
    ------
    InputError
        If a name is unknown, stands twice or belongs to a validator that is not listed.
    """
    if not names:
        raise InputError("must name what is minimised", key="objectives", value=[], remedy="write [loss]")
    found = []
    for i, name in enumerate(names):
        key = f"objectives.{i}"
        if name in names[:i]:
            raise InputError("stands twice", key=key, value=name)
        if name == "loss" or name in QUANTITY_OF:
            found.append(Objective(name))
            continue
        validator, dot, value = name.partition(".")
        if not dot:
            raise InputError(
                "no such objective", key=key, value=name, remedy=nearest(name, ["loss", *QUANTITY_OF])
            )
        if validator not in validators:
            raise InputError(
                f"needs the validator '{validator}'",
                key=key,
                value=name,
                remedy=f"list it: validate: [{validator}], or constraints: [{validator}]",
            )
        found.append(Objective(name, validator, value))
    return tuple(found)


def pareto(trials: Iterable[Trial], count: int) -> list[Trial]:
    """The trials that no other beats in every objective, in ascending order of the first one."""
    rows = [t for t in trials if t.comparable and len(t.objectives) == count]
    rows.sort(key=lambda t: (*t.objectives, t.number))
    kept: list[Trial] = []
    for trial in rows:
        # Sorted by the first objective: only those kept before can dominate, and equals count once.
        if not any(all(a <= b for a, b in zip(k.objectives, trial.objectives, strict=True)) for k in kept):
            kept.append(trial)
    return kept


def front_numbers(objectives: Sequence[Sequence[float]]) -> list[int]:
    """Of each point the number of the front that it lies on: 0 is beaten by none, 1 by points of 0 only, and so on."""
    numbers = [0] * len(objectives)
    order = sorted(range(len(objectives)), key=lambda i: tuple(objectives[i]))
    for place, i in enumerate(order):
        # In this order a point is beaten only by earlier ones.
        beaten_by = [
            numbers[j]
            for j in order[:place]
            if tuple(objectives[j]) != tuple(objectives[i])
            and all(a <= b for a, b in zip(objectives[j], objectives[i], strict=True))
        ]
        numbers[i] = max(beaten_by, default=-1) + 1
    return numbers


def loss_again(trial: Trial, loss: Component[Loss]) -> float | None:
    """The loss of a trial by another loss, from its stored error sums; None if they do not suffice."""
    if "validation" not in trial.errors or not isinstance(loss.instance, TableLoss):
        return None
    value = loss.instance.from_errors(ErrorTable.from_json(trial.errors["validation"])).value
    return value if math.isfinite(value) else None


def scalarised(history: History) -> History:
    """One objective out of several, with weights that change from trial to trial.

    The augmented Chebyshev function of the objectives scaled to their range so far,
    ``max_k(w_k f_k) + 0.05 sum_k(w_k f_k)``, with weights drawn anew for each ask: by and by they reach all
    of the Pareto set. So an optimizer that knows one objective finds several.

    Source: J. Knowles, IEEE Trans. Evol. Comput. 10, 50 (2006), ParEGO.
    """
    count = len(history.objectives)
    rng = rng_for(history, own_trials(history), "weights")
    weights = rng.dirichlet(np.ones(count))
    usable = [
        t.state is TrialState.COMPLETE
        and len(t.objectives) == count
        and all(math.isfinite(v) for v in t.objectives)
        for t in history.trials
    ]
    values = np.array([t.objectives for t, use in zip(history.trials, usable, strict=True) if use])
    trials = []
    if len(values):
        span = np.ptp(values, axis=0)
        scaled = (values - values.min(axis=0)) / np.where(span > 0, span, 1.0) * weights
        # Above zero, so that optimizers may take the logarithm.
        losses = iter(1e-3 + scaled.max(axis=1) + _RHO * scaled.sum(axis=1))
    for trial, use in zip(history.trials, usable, strict=True):
        if use:
            loss = float(next(losses))
            trials.append(replace(trial, loss=loss, objectives=(loss,)))
        else:
            # the loss of a refused trial is not on the scale of the mixture
            trials.append(replace(trial, loss=None, objectives=(), refused_loss=None))
    return History(history.space, tuple(trials), history.seed)
