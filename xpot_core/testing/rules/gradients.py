"""The rule of gradients: it looks where a solver is hard pressed, not where the author of the fitter looked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from xpot_core.errors import TrialError, XpotError
from xpot_core.options.check import validate_options
from xpot_core.options.declare import strip_none
from xpot_core.testing.contracts.contract import NotApplicable, scratch
from xpot_core.testing.frames import hard_data
from xpot_core.testing.rules.bench import FitterBench
from xpot_core.testing.rules.perturb import Leaf, leaves, put
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import DifferentiableDesign
from xpot_core.types.structures import TrainingData

_FOLDS = 3
_STEP = 0.05
"""Of ln(option): the rounding errors of a loss, 1e-10 of it with a good solver, then spoil a slope by 1e-8."""
_REACH = math.exp(4 * _STEP)
_TOLERANCE = 1e-3
"""Of the largest slope. Exact gradients reach 1e-7; a search notices 1e-1."""
_JUMPS = 0.1
"""How far differences over two steps may be apart, of the largest slope, before they say nothing at all."""
_NEGLIGIBLE = 1e-6
"""Changes of this part of the loss matter to nobody."""


@dataclass(frozen=True)
class _Case:
    """A design with the options that its gradient is tested by."""

    name: str
    design: DifferentiableDesign
    raw: dict[str, Any]
    variables: list[Leaf]


class GradientRules(FitterBench):
    """Rules of designs that know how errors change with the regression options."""

    def test_gradient_is_that_of_the_errors(self) -> None:
        """`error_gradient` against differences of `errors`, all over the declared ranges.

        At both ends, in corners and inside, whatever options the fit of the kit has.
        """
        with scratch() as folder:
            options, data = self.options(), self.data(folds=_FOLDS)
            case = self._case("structures of the kit", options, self.prepare(options, data, folder), data)
            for values in _points(case.variables):
                self._check(case, values)

    def test_gradient_holds_where_little_is_determined(self) -> None:
        """The same with more columns than rows, and with columns that nearly depend on each other.

        With the fitter's own defaults, which have more columns than the smallest fit. A `FitError` is an honest answer.
        """
        refused = ""
        kept = 0
        with scratch() as folder:
            for number, (name, data) in enumerate(hard_data(_FOLDS).items()):
                options, design = self._hard_design(data, folder / str(number))
                case = self._case(name, options, design, data)
                for values in _points(case.variables):
                    try:
                        self._check(case, values)
                        kept += 1
                    except TrialError as error:
                        refused = str(error)
        if not kept:
            raise NotApplicable(f"such fits are refused: {refused}")

    def _case(self, name: str, options: BaseModel, design: object, data: TrainingData) -> _Case:
        if not isinstance(design, DifferentiableDesign):
            raise NotApplicable("the design has no error_gradient")
        raw, variables = options.model_dump(mode="json"), []
        for leaf in leaves(options):
            if _is_variable(leaf):
                members = data.groups if "group" in leaf.info.per else ()
                put(raw, leaf.path, dict.fromkeys(members, leaf.value) if members else leaf.value)
                variables += [replace(leaf, path=(*leaf.path, m)) for m in members] or [leaf]
        return _Case(name, design, raw, variables)

    def _hard_design(self, data: TrainingData, folder: Path) -> tuple[BaseModel, object]:
        try:
            options = self.validated({}, data.elements)
            return options, self.prepare(options, data, folder)
        except XpotError:  # an option without default, or defaults that are too large for so few structures
            options = self.options()
        return options, self.prepare(options, data, folder)

    def _check(self, case: _Case, values: Mapping[str, float]) -> None:
        paths = {leaf.name: leaf.path for leaf in case.variables}

        def options(changes: Mapping[str, float]) -> BaseModel:
            raw = deepcopy(case.raw)
            for name, value in {**values, **changes}.items():
                put(raw, paths[name], value)
            return validate_options(self.declaration.options, raw)

        def loss(changes: Mapping[str, float]) -> float:
            return _loss(case.design.errors(options(changes), leave_out=0).validation)

        _, gradient = case.design.error_gradient(options({}), list(values), _sensitivity, leave_out=0)
        assert set(gradient) == set(values), f"the gradient has the names {sorted(gradient)}"
        slopes = {name: _differences(loss, name, value) for name, value in values.items()}
        largest = max(abs(slope) for slope, _ in slopes.values())
        small = _NEGLIGIBLE * loss({})
        where = f"{case.name}, {', '.join(f'{n} = {v:.3g}' for n, v in values.items())}"
        for name, (slope, doubt) in slopes.items():
            assert doubt <= _JUMPS * largest + small, (
                f"{where}: the errors jump: their slope by ln {name} is {slope:.3g}, and {doubt:.2g} off at twice "
                "the step"
            )
            assert abs(gradient[name] - slope) <= _TOLERANCE * largest + doubt + small, (
                f"{where}: d(loss)/d(ln {name}) is {gradient[name]:.6g}, differences give {slope:.6g}"
            )


def _is_variable(leaf: Leaf) -> bool:
    """Whether errors must have a slope by this option: what a nested search moves."""
    tune = leaf.info.tune
    number = leaf.info.stage == "regression" and strip_none(leaf.annotation) is float
    return number and (tune.min >= 0.0 if tune is not None else leaf.value > 0.0)


def _points(variables: list[Leaf]) -> Iterator[dict[str, float]]:
    """Both ends of the declared ranges, two corners with their opposites, and two points inside."""
    rng = np.random.default_rng(3)
    shape = len(variables)
    corners = [rng.integers(2, size=shape).astype(float) for _ in range(2)]
    for point in (
        np.zeros(shape),
        np.ones(shape),
        *corners,
        *(1.0 - c for c in corners),
        *rng.random((2, shape)),
    ):
        yield {leaf.name: _value(leaf, float(u)) for leaf, u in zip(variables, point, strict=True)}


def _value(leaf: Leaf, u: float) -> float:
    """From 0 to 1 through the declared range, as far as the steps of differences stay inside of it."""
    tune = leaf.info.tune
    if tune is None:
        return float(leaf.value)
    low, high = tune.min * _REACH or 0.01 * tune.max, tune.max / _REACH
    return float(low * (high / low) ** u if tune.log else low + u * (high - low))


def _differences(
    loss: Callable[[Mapping[str, float]], float], name: str, value: float
) -> tuple[float, float]:
    """Slope by ln(value) from four points, and how far it is from that of twice the step."""
    one, two, four = (
        (loss({name: value * math.exp(h)}) - loss({name: value * math.exp(-h)})) / (2 * h)
        for h in (_STEP, 2 * _STEP, 4 * _STEP)
    )
    slope = (4 * one - two) / 3
    return slope, abs(slope - (4 * two - four) / 3)


def _loss(errors: ErrorTable) -> float:
    """Smooth, where a root of squares has a kink at zero."""
    return sum(errors.total(q).square / errors.total(q).count for q in errors.sums)


def _sensitivity(errors: ErrorTable) -> Mapping[str, Mapping[str, float]]:
    return {q: dict.fromkeys(row, 1.0 / errors.total(q).count) for q, row in errors.sums.items()}
