"""What goes beyond the flat search: priors, changed spaces, two levels, objectives, constraints, rungs, stopping."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpot_core.config import read_study
from xpot_core.errors import InputError, StudyChangedError
from xpot_core.fidelity import Ladder
from xpot_core.metrics import ErrorTable
from xpot_core.nested import InnerSearch, inner_names
from xpot_core.objectives import hypervolume, pareto, scalarised
from xpot_core.prior import translate
from xpot_core.results import StudyResults
from xpot_core.space import Choice, Float, Slot, Space
from xpot_core.store import STORE_NAME, Store
from xpot_core.study import RunOutcome, Study
from xpot_core.testing.toy_options import ToyOptions
from xpot_core.trials import History, Trial, TrialState

Make = Callable[..., Path]
PLUGIN = str(Path(__file__).with_name("search_plugin.py"))
FIXED = {"cutoff": 5.0, "widths": [0.5, 0.8], "n_basis": 4}


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def study_started(self, study: Study, trials: list[Trial], budget: int) -> None: ...

    def trial_started(self, trial: Trial) -> None: ...

    def trial_finished(self, trial: Trial) -> None: ...

    def message(self, text: str) -> None:
        self.texts.append(text)


def run(path: Path, *overrides: str, **options: Any) -> tuple[RunOutcome, StudyResults]:
    study = Study(read_study(path, overrides))
    outcome = study.run(**options)
    return outcome, StudyResults.open(study.directory)


def toy(**options: Any) -> dict[str, Any]:
    return {"fitter": {"numpy-pair": {**FIXED, **options}}}


# -- warm start and changed spaces -----------------------------------------------------------------


def test_prior_trials_are_translated_and_can_win(study: Make, folder: Path) -> None:
    run(
        study(
            {
                **toy(cutoff={"min": 4.0, "max": 6.0}),
                "study": "older",
                "loss": {"energy-force": {"alpha": 0.1}},
            }
        )
    )
    older = StudyResults.open(folder / "runs/older")
    heard = Listener()
    later = study({**toy(cutoff={"min": 4.0, "max": 6.5}, ridge="tune"), "prior": ["older"]}, "later.yaml")
    outcome, results = run(later, observer=heard)
    assert outcome.reason == "the budget of 4 trials is reached"
    prior = [t for t in results.trials if t.from_prior]
    assert len(prior) == 4
    assert sum(not t.from_prior for t in results.trials) == 4
    for old, new in zip(older.trials, prior, strict=True):
        # the hyperparameter that came later has the value that was fixed then
        assert new.values == {"cutoff": old.values["cutoff"], "ridge": ToyOptions().ridge}
        assert new.extra["prior"] == {"study": "older", "trial": old.number}
        # judged by the present loss (alpha 0.8), not by the older one (alpha 0.1)
        table = ErrorTable.from_json(old.errors["validation"])
        expected = 0.8 * table.total("energy_sqrt").rmse + 0.2 * table.total("force").rmse
        assert new.loss == pytest.approx(expected, rel=1e-12)
    assert heard.texts[0] == "4 trials of older are known beforehand"
    best = min((t for t in results.trials if t.loss is not None), key=lambda t: t.loss or 0)
    assert results.best is not None
    assert results.best.number == best.number
    _, again = run(later)  # nothing is taken in twice
    assert len(again.trials) == len(results.trials)


def test_prior_on_other_data_guides_and_does_not_win(study: Make, folder: Path) -> None:
    other = {"train": "test.xyz", "validation": {"fraction": 0.4}}
    run(study({**toy(cutoff={"min": 4.0, "max": 6.0}), "study": "older", "data": other}))
    _, results = run(study({**toy(cutoff={"min": 4.0, "max": 6.0}), "prior": ["runs/older"]}))
    prior = [t for t in results.trials if t.from_prior]
    assert prior
    assert all(t.extra["other_data"] for t in prior)
    with contextlib.closing(Store(results.directory / STORE_NAME)) as store:
        store.adopt([replace(prior[0], loss=1e-9, objectives=(1e-9,))], {})
    again = StudyResults.open(results.directory)
    assert again.best is not None
    assert not again.best.from_prior


@pytest.mark.parametrize(
    ("prior", "message"),
    [("runs/nowhere", "is no run folder of a study"), ("argon", "is this study itself")],
)
def test_wrong_prior_is_refused(study: Make, prior: str, message: str) -> None:
    run(study(toy(cutoff={"min": 4.0, "max": 6.0})), "budget.trials=1")
    with pytest.raises(InputError, match=message) as caught:
        run(study({**toy(cutoff={"min": 4.0, "max": 6.0}), "prior": prior}))
    assert caught.value.key == "prior.0"


def test_extend_goes_on_in_a_changed_space(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    first = study(toy(cutoff={"min": 4.0, "max": 6.0}, smooth={"choices": [True]}))
    _, before = run(first)
    changed = toy(cutoff={"min": 5.0, "max": 6.5}, smooth={"choices": [True, False]}, ridge="tune")
    path = study(changed)
    with pytest.raises(StudyChangedError, match="--extend"):
        run(path)
    done = call("run", path, "--extend")
    assert done.status == 0
    assert "4 of 4 trials go on in the changed space" in done.out
    assert "outside of the present ranges" in done.out
    after = StudyResults.open(before.directory)
    assert [t.number for t in after.trials] == list(range(8))
    assert [t.from_prior for t in after.trials] == [True] * 4 + [False] * 4
    for old, new in zip(before.trials, after.trials, strict=False):
        assert new.values == {**old.values, "ridge": ToyOptions().ridge}
        assert new.loss == old.loss
    kept = list(before.directory.glob("before-*.sqlite"))
    assert len(kept) == 1
    with contextlib.closing(Store(kept[0], readonly=True)) as store:
        assert [t.values for t in store.trials()] == [t.values for t in before.trials]
    outcome, again = run(path)  # without --extend from now on
    assert outcome.complete
    assert len(again.trials) == 8


def test_extend_leaves_out_what_answers_another_question(study: Make) -> None:
    run(study(toy(cutoff={"min": 4.0, "max": 6.0})))
    heard = Listener()
    path = study(toy(cutoff={"min": 4.0, "max": 6.0}, n_basis=5))
    _, results = run(path, extend=True, observer=heard)
    assert not [t for t in results.trials if t.from_prior]
    assert any("n_basis was 4 and is 5 now" in text for text in heard.texts)


def test_translation_of_groups() -> None:
    per_group = {"energy_weight": {"cold": Slot("energy_weight.cold"), "hot": Slot("energy_weight.hot")}}
    one = Space((Float("energy_weight", 0.1, 100.0, True),), {"energy_weight": Slot("energy_weight")})
    both = Space(
        (Float("energy_weight.cold", 0.1, 100.0, True), Float("energy_weight.hot", 0.1, 100.0, True)),
        per_group,
    )
    single = Trial(0, TrialState.COMPLETE, {"energy_weight": 3.0}, loss=1.0)
    found = translate([single], one.template, ToyOptions, both)
    assert found.trials[0].values == {"energy_weight.cold": 3.0, "energy_weight.hot": 3.0}
    equal = Trial(1, TrialState.COMPLETE, {"energy_weight.cold": 2.0, "energy_weight.hot": 2.0}, loss=1.0)
    unequal = Trial(2, TrialState.COMPLETE, {"energy_weight.cold": 2.0, "energy_weight.hot": 4.0}, loss=1.0)
    found = translate([equal, unequal], both.template, ToyOptions, one)
    assert [t.values for t in found.trials] == [{"energy_weight": 2.0}]
    assert found.left_out[0][0] == "trial 2"
    choice = Space((Choice("smooth", (True,)),), {"smooth": Slot("smooth")})
    wide = Space((Choice("smooth", (True, False)),), {"smooth": Slot("smooth")})
    off = Trial(3, TrialState.COMPLETE, {"smooth": False}, loss=1.0)
    assert (
        translate([off], wide.template, ToyOptions, choice)
        .left_out[0][1]
        .endswith("is not one of the choices")
    )


# -- two levels ------------------------------------------------------------------------------------

WEIGHTS = {
    "cutoff": {"min": 4.0, "max": 6.5},
    "energy_weight": {"tune": True, "per": "group"},
    "force_weight": {"tune": True, "per": "group"},
}


def test_nested_search_moves_the_weights_inside(study: Make, call: Callable[..., Any], folder: Path) -> None:
    path = study({**toy(**WEIGHTS), "search": "nested", "optimizer": {"random": {}}})
    _, results = run(path)
    names = {"energy_weight.cold", "energy_weight.hot", "force_weight.cold", "force_weight.hot"}
    for trial in results.trials:
        assert set(trial.values) == {"cutoff", *names}
        inner = trial.extra["inner"]
        assert set(inner["values"]) == names
        assert trial.loss is not None
        assert trial.loss < inner["default_loss"] * 1.05
        assert inner["evaluations"] >= 3
    best = results.best
    assert best is not None
    assert best.loss is not None
    assert best.loss < best.extra["inner"]["default_loss"]
    # the optimizer saw the outer level alone
    history = Study(read_study(path)).history(list(results.trials))
    assert history.space.names == ("cutoff",)
    assert all(set(t.values) == {"cutoff"} for t in history.trials)
    # from the second point on the inner search began where a neighbour ended
    assert set(results.trials[-1].extra["inner_start"]) == names
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
        from xpot_core.interfaces import DesignErrors
        from xpot_core.metrics import ErrorSums

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


def bowl_search(design: Any, **settings: Any) -> dict[str, Any]:
    from xpot_core.builtin.loss import EnergyForceLoss
    from xpot_core.builtin.loss_options import EnergyForceOptions
    from xpot_core.study_config import NestedConfig

    tree = {"energy_weight": Slot("energy_weight"), "force_weight": Slot("force_weight")}
    space = Space(
        (
            Float("energy_weight", 0.1, 1000.0, True, "regression", 10.0),
            Float("force_weight", 0.01, 100.0, True, "regression", 1.0),
        ),
        tree,
    )
    search = InnerSearch(
        design,
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
    assert found["method"] == ("gradient" if gradient else "derivative-free")
    assert found["values"]["energy_weight"] == pytest.approx(50.0, rel=0.02)
    assert found["values"]["force_weight"] == pytest.approx(5.0, rel=0.02)


def test_inner_prior_pulls_towards_the_defaults() -> None:
    free = bowl_search(Bowl([(500.0, 5.0)] * 3))["values"]["energy_weight"]
    held = bowl_search(Bowl([(500.0, 5.0)] * 3), prior=0.05)["values"]["energy_weight"]
    assert 10.0 < held < 0.8 * free


def test_held_out_fold_stops_the_inner_search() -> None:
    # the last fold says the opposite of the others: it is best left where it was
    design = Bowl([(500.0, 50.0), (500.0, 50.0), (1.0, 0.1)])
    found = bowl_search(design, hold_out=True, patience=2)
    assert found["stopped"] == "held-out fold"
    assert found["held_out"] == 2
    assert found["values"]["energy_weight"] == pytest.approx(10.0, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (toy(cutoff={"min": 4.0, "max": 6.0}), "there is nothing for the inner search"),
        ({"fitter": {"faulty": {"mode": "ok"}}, "plugins": ["FAULTY"]}, "needs a staged fitter"),
    ],
)
def test_nested_search_says_what_it_needs(study: Make, changes: dict[str, Any], message: str) -> None:
    from tests.conftest import FAULTY  # type: ignore[import-not-found]

    if "plugins" in changes:
        changes = {**changes, "plugins": [str(FAULTY)]}
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


# -- several objectives ----------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["random", "sobol", "grid"])
def test_several_objectives(study: Make, optimizer: str, call: Callable[..., Any], folder: Path) -> None:
    _, results = run(
        study({"objectives": ["energy", "force"], "optimizer": optimizer, "budget": {"trials": 8}})
    )
    for trial in results.trials:
        table = ErrorTable.from_json(trial.errors["validation"])
        assert trial.objectives == (table.total("energy_sqrt").rmse, table.total("force").rmse)
    front = {t.number for t in results.pareto}
    for trial in results.trials:
        beaten = any(
            other.objectives != trial.objectives
            and all(a <= b for a, b in zip(other.objectives, trial.objectives, strict=True))
            for other in results.trials
        )
        assert (trial.number in front) == (not beaten)
    # the best trial for every balance lies on the front, and needs no new fit
    for alpha in (0.0, 0.3, 1.0):
        chosen, loss = results.best_at(alpha)
        assert chosen.number in front
        assert loss == pytest.approx(
            min(alpha * t.objectives[0] + (1 - alpha) * t.objectives[1] for t in results.trials)
        )
        shown = json.loads(call("show", "argon", "--alpha", alpha, "--json").out)
        assert (shown["number"], shown["loss_at_alpha"]) == (chosen.number, pytest.approx(loss))
    assert f"Pareto set: {len(front)} trials" in call("show", "argon").out
    assert set(json.loads(call("show", "argon", "--json").out)["pareto"]) == front


def test_report_shows_the_objectives(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    pytest.importorskip("matplotlib")
    changes = {"objectives": ["energy", "force"], "search": "nested", "optimizer": "random"}
    run(study({**toy(**WEIGHTS), **changes}))
    assert call("report", "argon", "--figures", "figures").status == 0
    names = {p.name for p in (folder / "figures").iterdir()}
    assert {"objectives-energy-force.svg", "inner-search.svg", "inner-search.csv"} <= names
    page = (folder / "runs/argon/report.html").read_text()
    assert "Pareto-optimal" in page
    assert "Two levels" in page


def test_an_optimizer_of_one_objective_gets_a_mixture() -> None:
    space = Space((Float("x", 0.0, 1.0),))
    trials = [
        Trial(i, TrialState.COMPLETE, {"x": i / 9}, loss=1.0, objectives=((i / 9) ** 2, (1 - i / 9) ** 2))
        for i in range(10)
    ]
    trials.append(Trial(10, TrialState.FAILED, {"x": 0.5}))
    minima = set()
    for n in range(40):
        pending = [Trial(11 + i, TrialState.RUNNING, {"x": 0.1}) for i in range(n)]
        history = scalarised(History(space, (*trials, *pending), 3, ("a", "b")))
        assert history.objectives == ("loss",)
        losses = [t.loss for t in history.trials[:10]]
        assert all(v is not None and v > 0 for v in losses)
        assert history.trials[10].loss is None
        minima.add(int(np.argmin(losses)))
    assert len(minima) > 3  # the weights move, and with them what is best


def test_hypervolume() -> None:
    reference = np.array([1.0, 1.0])
    assert hypervolume(np.array([[0.5, 0.5]]), reference) == pytest.approx(0.25)
    assert hypervolume(np.array([[0.2, 0.6], [0.6, 0.2], [0.7, 0.7]]), reference) == pytest.approx(0.48)
    rng = np.random.default_rng(0)
    points, probes = rng.random((6, 3)), rng.random((40_000, 3))
    dominated = (probes[:, None, :] >= points).all(axis=2).any(axis=1).mean()
    assert hypervolume(points, np.ones(3)) == pytest.approx(dominated, abs=0.01)


def test_pareto_counts_equals_once() -> None:
    trials = [
        Trial(i, TrialState.COMPLETE, {}, loss=1.0, objectives=o)
        for i, o in enumerate([(1.0, 2.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (1.0, 3.0)])
    ]
    assert [t.number for t in pareto(trials, 2)] == [0, 2]


@pytest.mark.parametrize(
    ("objectives", "key", "message"),
    [
        (["energy", "froce"], "objectives.1", "did you mean 'force'"),
        (["energy", "energy"], "objectives.1", "stands twice"),
        (["energy", "lammps-speed.cost"], "objectives.1", "needs the validator"),
        ([], "objectives", "must name"),
    ],
)
def test_wrong_objectives(study: Make, objectives: list[str], key: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Study(read_study(study({"objectives": objectives})))
    assert caught.value.key == key
    assert message in str(caught.value)


# -- constraints and physical tests ----------------------------------------------------------------


def test_constraint_makes_trials_infeasible(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    constraint = {"constraints": [{"short-enough": {"longest": 5.2}}], "plugins": [PLUGIN]}
    _, results = run(
        study({**constraint, "budget": {"trials": 6, "failures": 2}, **toy(cutoff={"min": 4.0, "max": 6.5})})
    )
    assert len(results.trials) == 6  # potentials that fail a test are no fault of the study
    for trial in results.trials:
        short = trial.values["cutoff"] <= 5.2
        assert (trial.state is TrialState.COMPLETE) == short
        if not short:
            assert trial.state is TrialState.INFEASIBLE
            assert trial.failure is not None
            assert trial.failure.stage == "constraint"
            assert trial.failure.message.startswith("the cutoff is")
            assert "validation" in trial.errors  # how good it would have been is known
            assert trial.extra["loss"] > 0
    states = {t.state for t in results.trials}
    assert states == {TrialState.COMPLETE, TrialState.INFEASIBLE}
    assert results.best is not None
    assert results.best.values["cutoff"] <= 5.2
    assert "short-enough" in call("show", "argon", "--trial", "best").out


def test_number_of_a_validator_as_objective(study: Make) -> None:
    changes = {"objectives": ["loss", "short-enough.cost"], "validate": ["short-enough"], "plugins": [PLUGIN]}
    _, results = run(study({**changes, **toy(cutoff={"min": 4.0, "max": 6.5})}))
    for trial in results.trials:
        # not binding: a long cutoff costs, but is no fault
        assert trial.state is TrialState.COMPLETE
        assert trial.objectives == (trial.loss, pytest.approx(trial.values["cutoff"] ** 3))
    assert len(results.pareto) >= 1


def test_best_that_passes_wins(study: Make, folder: Path) -> None:
    changes = {"validate": [{"short-enough": {"longest": 5.0}}], "plugins": [PLUGIN], "budget": {"trials": 8}}
    _, plain = run(study({**changes, "study": "one", **toy(cutoff={"min": 4.0, "max": 6.5})}))
    _, careful = run(
        study({**changes, "study": "many", "validate_best": 8, **toy(cutoff={"min": 4.0, "max": 6.5})})
    )
    assert plain.best is not None
    assert plain.final is not None
    assert plain.best.values["cutoff"] > 5.0, (
        "the data prefer a long cutoff: otherwise this test shows nothing"
    )
    assert plain.final["trial"] == plain.best.number
    assert plain.final["validators"][0]["passed"] is False
    final = careful.final
    assert final is not None
    winner = careful.trial(final["trial"])
    assert winner.values["cutoff"] <= 5.0
    assert final["validators"][0]["passed"] is True
    able = [t for t in careful.trials if t.values["cutoff"] <= 5.0]
    assert winner.loss == min(t.loss for t in able if t.loss is not None)
    assert [c["validators"][0]["passed"] for c in final["candidates"]][-1] is True
    assert not list(careful.directory.glob("candidate-*"))
    assert (careful.directory / "best/pair.json").is_file()


def test_broken_validator_in_the_search_fails_the_trial(study: Make) -> None:
    _, results = run(study({"constraints": ["broken-test"], "plugins": [PLUGIN], "budget": {"trials": 2}}))
    for trial in results.trials:
        assert trial.state is TrialState.FAILED
        assert trial.failure is not None
        assert (trial.failure.stage, trial.failure.plugin) == ("validate", "validator broken-test")


def test_wrong_option_of_a_constraint_is_told_first(study: Make) -> None:
    with pytest.raises(InputError) as caught:
        Study(read_study(study({"constraints": [{"short-enough": {"longest": -1}}], "plugins": [PLUGIN]})))
    assert caught.value.key == "constraints.0.short-enough.longest"
    assert caught.value.line


# -- rungs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fidelity",
    [
        {"option": "n_basis", "rungs": [2, 3], "keep": 0.5},
        {"option": "data", "rungs": [0.4, 0.7], "keep": 0.5},
    ],
)
def test_successive_halving(study: Make, fidelity: dict[str, Any]) -> None:
    _, results = run(study({"fidelity": fidelity, "optimizer": "random", "budget": {"trials": 20}}))
    low, middle = fidelity["rungs"]
    counts = {f: [t for t in results.trials if t.fidelity == f] for f in (low, middle, None)}
    assert len(counts[low]) > len(counts[middle]) >= len(counts[None]) - 1 > 0
    for trial in results.trials:
        source = trial.extra.get("promoted_from")
        if source is None:
            continue
        below = results.trial(source)
        assert below.values == trial.values
        assert (below.fidelity, trial.fidelity) in {(low, middle), (middle, None)}
    # what went on was in the better half of its rung, as far as that was known then
    for trial in results.trials:
        source = trial.extra.get("promoted_from")
        if source is not None:
            below = results.trial(source)
            rung = [t for t in results.trials[: trial.number] if t.fidelity == below.fidelity]
            better = sum((t.loss or 0) < (below.loss or 0) for t in rung)
            assert better < 0.5 * len(rung)
    assert results.best is not None
    assert results.best.fidelity is None
    count = sum(t.from_prior for t in results.trials)
    assert count == 0


def test_the_last_trials_take_the_best_to_the_top(study: Make) -> None:
    fidelity = {"option": "n_basis", "rungs": [2, 3], "keep": 0.1}
    _, results = run(study({"fidelity": fidelity, "optimizer": "random", "budget": {"trials": 8}}))
    assert [t.fidelity for t in results.trials] == [None, 2, 2, 2, 2, 2, 3, None]
    low = min(results.trials[1:6], key=lambda t: t.loss or np.inf)
    assert results.trials[7].values == low.values


def test_each_proposal_is_seen_once_on_one_scale() -> None:
    ladder = Ladder("n_basis", (2.0, 4.0), 0.5)
    complete = TrialState.COMPLETE
    trials = [
        Trial(0, complete, {"x": 0.1}, loss=4.0, fidelity=2.0),
        Trial(1, complete, {"x": 0.2}, loss=8.0, fidelity=2.0),
        Trial(2, complete, {"x": 0.1}, loss=2.0, fidelity=4.0, extra={"promoted_from": 0}),
        Trial(3, complete, {"x": 0.1}, loss=1.0, extra={"promoted_from": 2}),
        Trial(4, TrialState.RUNNING, {"x": 0.3}, fidelity=2.0),
    ]
    seen = ladder.view(trials)
    assert [t.number for t in seen] == [0, 1, 4]
    # reached the top: its own loss; below: halved from 2 to 4 and again from 4 to the top
    assert [t.loss for t in seen] == [1.0, 2.0, None]


def test_part_of_the_data_is_taken_from_every_group_and_fold(study: Make) -> None:
    made = Study(read_study(study({"fidelity": {"option": "data", "rungs": [0.5]}})))
    whole, half = made.runner.data_at(None), made.runner.data_at(0.5)
    assert 0.4 * len(whole.frames) < len(half.frames) < 0.8 * len(whole.frames)
    cells = {(f.group, k) for f, k in zip(whole.frames, whole.folds, strict=True)}
    assert cells == {(f.group, k) for f, k in zip(half.frames, half.folds, strict=True)}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"fidelity": {"option": "cutoff", "rungs": [4]}}, "fidelity.option"),
        ({"fidelity": {"option": "nbasis", "rungs": [2]}}, "fidelity.option"),
        ({"fidelity": {"option": "n_basis", "rungs": [2, 4]}}, "fidelity.rungs"),
        ({"fidelity": {"option": "n_basis", "rungs": [3, 2]}}, "fidelity.rungs"),
        ({"fidelity": {"option": "data", "rungs": [0.5, 1.0]}}, "fidelity.rungs"),
        ({"fidelity": {"option": "n_basis", "rungs": [2]}, "objectives": ["energy", "force"]}, "fidelity"),
    ],
)
def test_wrong_fidelity(study: Make, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        Study(read_study(study(changes)))
    assert caught.value.key == key


# -- stopping --------------------------------------------------------------------------------------


def test_target_and_patience_end_the_search(study: Make) -> None:
    outcome, results = run(study({"budget": {"trials": 30, "target": 1e3}}))
    assert outcome == RunOutcome(f"trial 0 reached the target: loss {results.trials[0].loss:.6g}", True)
    assert len(results.trials) == 1
    assert results.final is not None
    outcome, results = run(study({"study": "idle", "budget": {"trials": 60, "patience": 3}}))
    assert outcome.complete
    assert outcome.reason == "3 trials in a row brought no progress"
    losses = [t.loss for t in results.trials if t.loss is not None]
    assert min(losses[:-3]) == min(losses)
    assert min(losses[:-4], default=np.inf) > losses[-4]


def test_objectives_patience_waits_for_the_front(study: Make) -> None:
    outcome, results = run(
        study(
            {
                "budget": {"trials": 60, "patience": 4},
                "objectives": ["energy", "force"],
                "optimizer": "random",
            }
        )
    )
    assert outcome.reason == "4 trials in a row brought no progress"
    front = {t.number for t in results.pareto}
    assert not front & {t.number for t in results.trials[-4:]}


def test_changed_objectives_are_refused(study: Make) -> None:
    run(study({"budget": {"trials": 1}}))
    with pytest.raises(StudyChangedError) as caught:
        run(study({"objectives": ["energy", "force"]}))
    assert caught.value.key == "objectives"


# -- xpot validate ---------------------------------------------------------------------------------


def test_validate_tests_any_trial(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    _, results = run(study({"plugins": [PLUGIN], **toy(cutoff={"min": 4.0, "max": 6.5})}))
    number = next(t.number for t in results.trials if t.values["cutoff"] > 5.0)
    done = call("validate", "argon", "--trial", number, "--with", "short-enough", "--json")
    assert done.status == 1
    (row,) = json.loads(done.out)
    assert (row["validator"], row["passed"]) == ("short-enough", False)
    assert (folder / f"runs/argon/tests/{number:06d}/validator-0-short-enough/seen").is_file()
    done = call("validate", "argon", "--with", "short-enough: {longest: 9}", "--with", "broken-test")
    assert done.status == 1
    assert "did not run" in done.out
    after = StudyResults.open(folder / "runs/argon")
    assert after.final is not None
    assert [(r["validator"], r["passed"]) for r in after.final["validators"]] == [
        ("broken-test", None),
        ("short-enough", True),
    ]
    assert call("validate", "argon", "--with", "short-enough: {longest: 9}").status == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "names no validator"),
        (["--with", "short-enuf"], "did you mean 'short-enough'"),
        (["--with", "short-enough: {longest: -1}"], "short-enough.longest"),
        (["--with", "short-enough: 3"], "must be name"),
        (["--with", "short-enough", "--trial", "77"], "no such trial"),
    ],
)
def test_wrong_validate_calls(
    study: Make, folder: Path, call: Callable[..., Any], options: list[str], message: str
) -> None:
    run(study({"plugins": [PLUGIN], "budget": {"trials": 1}}))
    done = call("validate", "argon", *options)
    assert done.status == 2
    assert message in done.err
