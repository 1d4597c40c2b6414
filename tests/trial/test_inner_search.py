"""Two levels: descriptors outside, regression options inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_cases import FAULTY, WEIGHTS, Make, run, toy

from xpot_core.errors import FitError, InputError
from xpot_core.search.loop import Study
from xpot_core.space.parameters import Choice, Float, Slot, Space
from xpot_core.study_file.read import read_study
from xpot_core.testing.toy.options import ToyOptions
from xpot_core.trial.inner_search import InnerSearch, inner_names
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.trials import InnerSearchResult


def test_nested_search_moves_the_weights_inside(study: Make, call: Callable[..., Any], folder: Path) -> None:
    path = study({**toy(**WEIGHTS), "search": "nested", "optimizer": {"random": {}}})
    _, results = run(path)
    names = {"energy_weight.cold", "energy_weight.hot", "force_weight.cold", "force_weight.hot"}
    for trial in results.trials:
        assert set(trial.values) == {"cutoff", *names}
        inner = trial.inner
        assert inner is not None
        assert set(inner.values) == names
        assert trial.loss is not None
        assert trial.loss < inner.default_loss * 1.05
        assert inner.evaluations >= 3
    best = results.best
    assert best is not None
    assert best.loss is not None
    assert best.inner is not None
    assert best.loss < best.inner.default_loss
    # the optimizer saw the outer level alone
    history = Study(read_study(path)).history(list(results.trials))
    assert history.space.names == ("cutoff",)
    assert all(set(t.values) == {"cutoff"} for t in history.trials)
    # from the second point on the inner search began where a neighbour ended
    assert set(results.trials[-1].inner_start) == names
    shown = json.loads(call("show", "argon", "--trial", "best", "--json").out)
    assert shown["inner"]["held_out"] == 2
    assert "inner search" in call("show", "argon", "--trial", "best").out


def test_nested_search_is_repeatable(study: Make, folder: Path) -> None:
    losses = []
    for name in ("one", "two"):
        path = study({**toy(**WEIGHTS), "search": "nested", "optimizer": "random", "study": name})
        losses.append([t.loss for t in run(path)[1].trials])
    assert losses[0] == losses[1]


class Bowl:
    """A design whose squared errors are known functions of two weights, different on each fold."""

    seconds: dict[str, float] = {}  # noqa: RUF012

    def __init__(self, centres: list[tuple[float, float]], gradient: bool = True) -> None:
        self.centres = np.log(np.array(centres))
        self.gradient = gradient
        self.calls = 0

    def _square(self, options: ToyOptions, fold: int) -> tuple[float, np.ndarray]:
        weights = np.log([options.energy_weight, options.force_weight])  # type: ignore[arg-type]
        distance = weights - self.centres[fold]
        return 1.0 + float(distance @ distance), 2.0 * distance

    def errors(self, options: Any, *, leave_out: int | None = None) -> Any:
        from xpot_core.types.error_sums import ErrorSums
        from xpot_core.types.fitting import DesignErrors

        self.calls += 1
        table = ErrorTable()
        table.add("force", "all", ErrorSums(1, self._square(options, leave_out or 0)[0], None))
        return DesignErrors(table, table)

    def fit(self, options: Any, **_: Any) -> Any:
        raise NotImplementedError  # the inner search never writes a potential

    def error_gradient(
        self, options: Any, names: Any, sensitivity: Any, *, leave_out: int | None = None
    ) -> Any:
        if not self.gradient:
            raise InputError("has no gradient")
        found = self.errors(options, leave_out=leave_out)
        slope = sensitivity(found.validation)["force"]["all"] * self._square(options, leave_out or 0)[1]
        return found, dict(zip(names, slope.tolist(), strict=True))


def bowl_search(design: Any, **settings: Any) -> InnerSearchResult:
    from xpot_core.builtin.loss import EnergyForceLoss
    from xpot_core.builtin.loss_options import EnergyForceOptions
    from xpot_core.study_file.schema import NestedConfig

    tree = {"energy_weight": Slot("energy_weight"), "force_weight": Slot("force_weight")}
    space = Space(
        (
            Float("energy_weight", 0.1, 1000.0, True, "regression", 10.0),
            Float("force_weight", 0.01, 100.0, True, "regression", 1.0),
        ),
        tree,
    )
    search = InnerSearch(
        lambda options, leave_out: design.errors(options, leave_out=leave_out),
        lambda options, names, sensitivity, leave_out: design.error_gradient(
            options, names, sensitivity, leave_out=leave_out
        ),
        EnergyForceLoss(EnergyForceOptions(alpha=0.0)),
        space,
        {},
        lambda values: ToyOptions(**space.options(values)),
        range(len(design.centres)),
        NestedConfig(**{"prior": 0.0, "hold_out": False, **settings}),
    )
    return search.run()


@pytest.mark.parametrize("gradient", [True, False])
def test_inner_search_finds_the_minimum(gradient: bool) -> None:
    found = bowl_search(Bowl([(50.0, 5.0)] * 3, gradient), iterations=60)
    assert found.method == ("gradient" if gradient else "derivative-free")
    assert found.values["energy_weight"] == pytest.approx(50.0, rel=0.02)
    assert found.values["force_weight"] == pytest.approx(5.0, rel=0.02)


def test_inner_prior_pulls_towards_the_defaults() -> None:
    free = bowl_search(Bowl([(500.0, 5.0)] * 3)).values["energy_weight"]
    held = bowl_search(Bowl([(500.0, 5.0)] * 3), prior=0.05).values["energy_weight"]
    assert 10.0 < held < 0.8 * free


def test_held_out_fold_holds_the_inner_search_back() -> None:
    # the last fold says the opposite of the others: all of them are best judged near the defaults
    folds = [(20.0, 2.0), (20.0, 2.0), (0.01, 0.001)]
    found = bowl_search(Bowl(folds), hold_out=True, patience=2)
    assert found.stopped == "held-out fold"
    assert found.held_out == 2
    assert found.values["energy_weight"] == pytest.approx(10.0, rel=1e-6)


def test_held_out_fold_that_rises_a_little_does_not_keep_the_defaults() -> None:
    # it alone would stay where it was; over all folds the loss falls far
    folds = [(500.0, 50.0)] * 4 + [(10.0, 1.0)]
    found = bowl_search(Bowl(folds), hold_out=True)
    assert found.path[-1][1] > found.path[0][1]  # type: ignore[operator]
    assert found.values["energy_weight"] > 50.0


def test_held_out_fold_may_rise_before_it_falls() -> None:
    class Hill(Bowl):
        """The held-out fold agrees with the others, but for a hill around the defaults."""

        def _square(self, options: ToyOptions, fold: int) -> tuple[float, np.ndarray]:
            value, slope = super()._square(options, fold)
            away = np.log([options.energy_weight / 10.0, options.force_weight])  # type: ignore[operator]
            return (
                value + 40.0 * float(np.exp(-((np.hypot(*away) - 1.5) ** 2))) if fold == 2 else value
            ), slope

    design = Hill([(500.0, 50.0)] * 3)
    found = bowl_search(design, hold_out=True, patience=1, prior=0.01, iterations=60)
    assert found.values["energy_weight"] > 50.0


class Valleys(Bowl):
    """Two minima of one validation set: a shallow one beside the defaults, a deep one away from them."""

    def _square(self, options: ToyOptions, fold: int) -> tuple[float, np.ndarray]:
        x = np.log([options.energy_weight / 10.0, options.force_weight])  # type: ignore[operator]
        shallow, deep = x - np.array([0.3, 0.3]), x + np.array([1.5, 1.0])
        pits = [(0.5, shallow), (2.0, deep)]
        value = 3.0 - sum(depth * float(np.exp(-2.0 * (d @ d))) for depth, d in pits)
        return value, sum(4.0 * depth * d * np.exp(-2.0 * (d @ d)) for depth, d in pits)


def test_one_validation_set_is_searched_from_several_starts() -> None:
    one = bowl_search(Valleys([(1.0, 1.0)]), starts=1)
    more = bowl_search(Valleys([(1.0, 1.0)]), starts=8)
    assert one.values["energy_weight"] > 10.0
    assert more.values["energy_weight"] == pytest.approx(10.0 * np.exp(-1.5), rel=0.05)
    assert more.evaluations > one.evaluations


def test_fit_that_fails_on_the_held_out_fold_alone_is_a_wall() -> None:
    class Walled(Bowl):
        def errors(self, options: Any, *, leave_out: int | None = None) -> Any:
            if leave_out == 2 and options.energy_weight > 20.0:
                raise FitError("singular")
            return super().errors(options, leave_out=leave_out)

    found = bowl_search(Walled([(500.0, 50.0)] * 3), hold_out=True, patience=2)
    assert found.stopped == "held-out fold"
    assert found.values["energy_weight"] <= 20.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (toy(cutoff={"min": 4.0, "max": 6.0}), "there is nothing for the inner search"),
        ({"fitter": {"faulty": {"mode": "ok"}}, "plugins": [str(FAULTY)]}, "needs a staged fitter"),
    ],
)
def test_nested_search_says_what_it_needs(study: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Study(read_study(study({**changes, "search": "nested"})))
    assert caught.value.key == "search.nested"


def test_inner_level_is_real_regression_options() -> None:
    space = Space(
        (
            Float("a", 0, 1, stage="regression"),
            Float("b", 0, 1, stage="descriptors"),
            Choice("c", (1, 2), "regression"),
        )
    )
    assert inner_names(space) == ("a",)
