"""The inner level of a nested search: regression options moved on one prepared design.

The outer optimizer chooses descriptors; here the weights, sigmas and the ridge follow, from exact gradients
where the design offers them. Hundreds of regressions cost what one descriptor calculation does, and hundreds
of looks at one validation set over-tune: a pull towards the defaults and a fold that the gradient does not see
hold against it. One small validation set has local minima, so there the search begins from several points.

The fold held out does not judge alone: it is small, and where it rises by chance while all others fall, the search
would stay at the defaults. Of the points on the way the one with the lowest loss over all folds is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel

from xpot_core.errors import FitError, XpotError
from xpot_core.plugins.interfaces import TableLoss
from xpot_core.space.parameters import Float, Space
from xpot_core.study_file.schema import NestedConfig
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import DesignErrors, Sensitivity
from xpot_core.types.structures import FloatArray
from xpot_core.types.trials import InnerSearchResult

Gradient = Callable[
    [BaseModel, Sequence[str], Sensitivity, int | None], tuple[DesignErrors, dict[str, float]]
]

_TENTH = 0.1
_AWAY = 0.2
"""Standard deviation, in parts of the range, of further starts from the defaults."""
_STARTS_OF_A_FILE = 3
_FEWEST_FOLDS = 3
"""With two folds, one held out, the search would see the errors of a single fold."""


def inner_names(space: Space) -> tuple[str, ...]:
    """Hyperparameters of the inner level: real ones that change the regression only."""
    return tuple(p.name for p in space if p.stage == "regression" and isinstance(p, Float))


@dataclass
class InnerSearch:
    """One inner search.

    Attributes
    ----------
    regress
        Errors of one regression: options and the fold to leave out.
    gradient
        The same with the gradient by named options; None where the design offers none.
    loss
        Of the study; made of error sums.
    space
        All hyperparameters.
    outer
        Values of the outer level.
    options
        Makes the fitter's options from a value for every hyperparameter.
    folds
        Folds to leave out in turn; ``(None,)`` for an external validation set.
    config
        The block of the study file.
    start
        Values to begin with, if they are better than the defaults.
    """

    regress: Callable[[BaseModel, int | None], DesignErrors]
    gradient: Gradient | None
    loss: TableLoss
    space: Space
    outer: Mapping[str, Any]
    options: Callable[[Mapping[str, Any]], BaseModel]
    folds: Sequence[int | None]
    config: NestedConfig
    start: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = inner_names(self.space)
        self.parameters = [p for p in self.space if isinstance(p, Float) and p.name in names]
        self.names = [p.name for p in self.parameters]
        watched = self.config.hold_out and len(self.folds) >= _FEWEST_FOLDS
        self.watched: int | None = self.folds[-1] if watched else None
        self.seen = self.folds[:-1] if watched else self.folds
        defaults = self.space.defaults()
        self.centre = self._unit(defaults)
        self.path: list[tuple[float, float | None]] = []
        self.evaluations = 0
        self._scale = 1.0
        self._best: tuple[float, FloatArray] | None = None
        self._stopped = "converged"
        self._since: int | None = None
        self._refused = False
        self._last: tuple[FloatArray, ErrorTable] | None = None

    def run(self) -> InnerSearchResult:
        """Search.

        Raises
        ------
        FitError
            If not even the defaults can be fitted.
        """
        everywhere = self._value(self.centre, self.folds)
        at_defaults = self._value(self.centre)
        self._scale = at_defaults
        point, first = self.centre, at_defaults
        if self.start:
            warm = np.clip(self._unit(self.start), 0.0, 1.0)
            try:
                if (value := self._value(warm) + self._penalty(warm)[0]) < first:
                    point, first = warm, value
            except XpotError:
                pass  # begun from the defaults instead
        gradient = self._gradient_works(point)
        self._descend(point, first, gradient)
        left = self._starts - 1
        if left and point is not self.centre:
            self._descend(self.centre, at_defaults, gradient)
            left -= 1
        generator = np.random.default_rng(0)
        for _ in range(left if gradient else 0):
            away = np.clip(self.centre + _AWAY * generator.normal(size=len(point)), 0.0, 1.0)
            self._descend(away, self._penalised(away), gradient)
        assert self._best is not None
        return InnerSearchResult(
            values=self._values(self._best[1]),
            default_loss=everywhere,
            method="gradient" if gradient else "derivative-free",
            held_out=self.watched,
            stopped=self._stopped,
            evaluations=self.evaluations,
            path=self.path,
        )

    @property
    def _starts(self) -> int:
        """How many descents; a validation set that is a file has local minima which folds average out."""
        if self.config.starts is not None:
            return self.config.starts
        return _STARTS_OF_A_FILE if list(self.folds) == [None] else 1

    def _descend(self, point: FloatArray, first: float, gradient: bool) -> None:
        """From one point to the minimum near it; notes the best point in `_best` and how that descent ended."""
        from scipy.optimize import minimize

        before = self._best
        self._since, self._refused = None, False
        self._step(point, first, begins=True)
        common: dict[str, Any] = {
            "bounds": [(0.0, 1.0)] * len(point),
            "callback": lambda intermediate_result: self._step(
                intermediate_result.x, intermediate_result.fun
            ),
        }
        if gradient:
            options = {"maxiter": self.config.iterations}
            found = minimize(
                self._with_gradient, point, jac=True, method="L-BFGS-B", options=options, **common
            )
        else:
            evaluations = self.config.iterations * (len(point) + 1)
            trust = {"maxfev": evaluations, "initial_tr_radius": _TENTH}
            found = minimize(self._penalised, point, method="COBYQA", options=trust, **common)
        if self._best is before:
            return
        assert self._best is not None
        if self._refused or (self.watched is not None and not np.array_equal(self._best[1], found.x)):
            self._stopped = "held-out fold"
        else:
            self._stopped = "iterations" if found.status == 1 else "converged"

    # -- points of the unit cube ---------------------------------------------------------------

    def _unit(self, values: Mapping[str, Any]) -> FloatArray:
        return np.array([p.to_unit(values[p.name]) for p in self.parameters])

    def _values(self, point: FloatArray) -> dict[str, float]:
        return {p.name: p.from_unit(float(u)) for p, u in zip(self.parameters, point, strict=True)}

    def _options(self, point: FloatArray) -> BaseModel:
        return self.options({**self.outer, **self._values(point)})

    # -- the function --------------------------------------------------------------------------

    def _errors(self, point: FloatArray, folds: Sequence[int | None] | None = None) -> ErrorTable:
        """Over the folds that are seen unless others are named; those of the last point are kept."""
        if folds is None and self._last is not None and np.array_equal(self._last[0], point):
            return self._last[1]
        self.evaluations += 1
        options = self._options(point)
        total = ErrorTable()
        for fold in self.seen if folds is None else folds:
            total = total + self.regress(options, fold).validation
        if folds is None:
            self._last = np.array(point), total
        return total

    def _value(self, point: FloatArray, folds: Sequence[int | None] | None = None) -> float:
        value = self.loss.from_errors(self._errors(point, folds)).value
        if not math.isfinite(value):
            raise FitError(f"the loss of the inner search is {value}")
        return value

    def _penalty(self, point: FloatArray) -> tuple[float, FloatArray]:
        distance = (point - self.centre) / _TENTH
        strength = self.config.prior * self._scale
        return strength * float(distance @ distance), 2.0 * strength * distance / _TENTH

    def _penalised(self, point: FloatArray) -> float:
        try:
            return self._value(point) + self._penalty(point)[0]
        except XpotError:
            return 10.0 * self._scale  # a regression that fails is a wall, not the end of the search

    def _with_gradient(self, point: FloatArray) -> tuple[float, FloatArray]:
        try:
            return self._derived(point)
        except XpotError:
            return 10.0 * self._scale, np.zeros(len(point))

    def _derived(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Loss over the seen folds, pull included, with its gradient in the unit cube."""
        assert self.gradient is not None
        errors = self._errors(point)
        value = self.loss.from_errors(errors).value
        if not math.isfinite(value):
            raise FitError(f"the loss of the inner search is {value}")
        # The loss is a function of the sums over all folds: its slopes are the same for each of them.
        slopes = self.loss.sensitivity(errors)
        options = self._options(point)
        total = dict.fromkeys(self.names, 0.0)
        for fold in self.seen:
            _, part = self.gradient(options, self.names, lambda _: slopes, fold)
            for name, slope in part.items():
                total[name] += slope
        values = self._values(point)
        # d(ln value)/du of each scale
        chain = [
            math.log(p.high / p.low) if p.log else (p.high - p.low) / (values[p.name] or math.inf)
            for p in self.parameters
        ]
        penalty, pull = self._penalty(point)
        return value + penalty, np.array([total[n] for n in self.names]) * chain + pull

    def _gradient_works(self, point: FloatArray) -> bool:
        if self.config.method == "derivative-free":
            return False
        try:
            if self.gradient is not None:
                self._derived(point)
                return True
        except XpotError as error:
            if self.config.method == "gradient":
                raise FitError(
                    f"the errors have no gradient by the inner hyperparameters: {error}"
                ) from error
            return False
        if self.config.method == "gradient":
            raise FitError("the fitter offers no gradient", remedy="use search.nested.method: auto")
        return False

    # -- progress ------------------------------------------------------------------------------

    def _step(self, point: FloatArray, value: float, begins: bool = False) -> None:
        """Note an iteration; stop when the fold held out has had enough.

        A point is judged by all folds and the pull. That loss may rise at first and fall later: it stops a descent only
        where it has fallen before.
        """
        judged = float(value)
        alone: float | None = None
        if self.watched is not None:
            try:
                table = self.regress(self._options(point), self.watched).validation
                alone = self.loss.from_errors(table).value
                judged = self.loss.from_errors(self._errors(point) + table).value + self._penalty(point)[0]
            except XpotError:
                judged = math.nan
            # a regression that fails is a wall, here as for the folds that are seen
            judged = judged if math.isfinite(judged) else math.inf
        self.path.append((float(value), alone))
        if self._best is None or judged < self._best[0]:
            self._since = None if begins else 0
            self._best = judged, np.array(point)
        elif self._since is not None:
            self._since += 1
            if self.watched is not None and self._since >= self.config.patience:
                self._refused = True
                raise StopIteration
