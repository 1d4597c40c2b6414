from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from xpot_core.cli.report.compare import compare
from xpot_core.errors import InputError
from xpot_core.report.statistics.compare import compare_studies
from xpot_core.report.statistics.validators import table_rows
from xpot_core.results.read import StudyResults

Maker = Callable[..., StudyResults]


def _sets(frames, test: int = 40, **changes):
    return {"train": frames(10, 1), "validation": frames(12, 2), "test": frames(test, 3), **changes}


def test_the_better_of_two(make_study: Maker, frames):
    sets = _sets(frames)
    good = make_study("good", sets=sets, noise=0.01, seed=1)
    bad = make_study("bad", sets=sets, noise=0.03, seed=2)
    comparison = compare_studies([good, bad])
    test = next(s for s in comparison.sets if s.name == "test")
    assert test.structures == 40
    energy = next(v for v in test.verdicts if v.quantity == "energy")
    assert energy.better == "good"
    assert energy.difference.high < 0
    assert energy.p < 0.01
    assert "good is better than bad" in energy.text()
    table = good.final_errors("test")
    assert table is not None
    interval = test.errors["good"]["energy"]
    assert interval.value == pytest.approx(1000 * table.total("energy").rmse, rel=1e-4)
    assert interval.low < interval.value < interval.high
    force = test.errors["bad"]["force"]
    assert force.value == pytest.approx(0.3, rel=0.1)
    # Either order gives the same statement.
    turned = next(v for v in compare_studies([bad, good]).sets[1].verdicts if v.quantity == "energy")
    assert turned.better == "good"
    assert turned.difference.value == pytest.approx(-energy.difference.value)
    assert turned.text() == energy.text()


def test_equal_studies_are_not_told_apart(make_study: Maker, frames):
    sets = _sets(frames)
    one, two = (make_study(n, sets=sets, noise=0.02, seed=s) for n, s in (("one", 1), ("two", 9)))
    test = compare_studies([one, two]).sets[-1]
    energy = next(v for v in test.verdicts if v.quantity == "energy")
    assert energy.better is None
    assert "no difference between one and two can be shown" in energy.text()


def test_coverage_of_the_interval(make_study: Maker, frames):
    """The 95 % interval of an RMSE of 60 normal errors holds the true value in most of 40 repeats."""
    from xpot_core.statistics.paired import compared_structures
    from xpot_core.statistics.predictions import Structure

    inside = 0
    for seed in range(40):
        errors = np.random.default_rng(seed).normal(0, 0.01, 60)
        structures = [Structure(str(i), "g", ("Si",), (0.0, e), None, None) for i, e in enumerate(errors)]
        found = compared_structures(["a", "b"], "test", [structures, structures], 0).errors["a"]["energy"]
        inside += found.low <= 10.0 <= found.high
    assert inside >= 34


def _structures(errors):
    from xpot_core.statistics.predictions import Structure

    return [Structure(str(i), "g", ("Si",), (0.0, float(e)), None, None) for i, e in enumerate(errors)]


def _energy_verdict(first, second):
    from xpot_core.statistics.paired import compared_structures

    found = compared_structures(["a", "b"], "test", [_structures(first), _structures(second)], 0)
    return next(v for v in found.verdicts if v.quantity == "energy")


@pytest.mark.parametrize("n", [10, 17, 60])
def test_equal_studies_are_rarely_called_different(n: int, monkeypatch: pytest.MonkeyPatch):
    """At most about one in twenty, also for few structures, of which some are much harder than others."""
    monkeypatch.setattr("xpot_core.statistics.resampling.DRAWS", 800)
    called = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        hard = np.exp(rng.normal(0, 1, n))
        called += _energy_verdict(hard * rng.normal(size=n), hard * rng.normal(size=n)).better is not None
    assert called <= 11  # five are expected; more than eleven come once in two hundred times


def test_pairs_tell_what_intervals_of_each_study_cannot():
    """Errors that go together: the intervals overlap by far, and the difference is certain."""
    rng = np.random.default_rng(3)
    hard = np.exp(rng.normal(0, 1, 40))
    errors = 0.01 * hard * rng.normal(size=40)
    verdict = _energy_verdict(errors, 1.15 * errors + 0.0002 * hard * rng.normal(size=40))
    assert verdict.better == "a"
    assert verdict.p < 0.01
    shuffled = _energy_verdict(errors, rng.permutation(1.15 * errors))
    assert shuffled.better is None
    assert shuffled.p > 0.05


def test_permutation_agrees_with_all_swaps():
    """Six structures have 64 swaps: the p-value is the part of them that gives so large a difference."""
    from itertools import product

    from xpot_core.statistics.resampling import swapped

    rng = np.random.default_rng(5)
    first, second = rng.normal(size=6) ** 2, (1.6 * rng.normal(size=6)) ** 2

    def gap(swap):
        moved = np.array(swap) @ (second - first)
        return abs(np.sqrt(first.sum() + moved) - np.sqrt(second.sum() - moved))

    exact = np.mean([gap(s) >= gap([0] * 6) * (1 - 1e-9) for s in product((0, 1), repeat=6)])
    assert swapped(first, second, 0) == pytest.approx(exact, abs=0.03)
    assert swapped(first, first, 0) == 1.0


def test_folds_are_no_leakage(make_study: Maker, frames):
    """With k-fold validation the winner has seen the validation structures, the fits that predicted them not."""
    shared = frames(20, 1)
    sets = {"train": shared, "validation": shared, "test": frames(12, 3)}
    folds = {"data": {"train": "train.xyz", "validation": {"kfold": 5}, "test": "test.xyz"}}
    one, two = (make_study(n, sets=sets, study=folds, seed=s) for n, s in (("one", 1), ("two", 2)))
    comparison = compare_studies([one, two])
    assert [s.name for s in comparison.sets] == ["validation", "test"]
    assert not [n for n in comparison.notes if "too low" in n]


def test_order_of_the_structures_does_not_matter(make_study: Maker, frames):
    sets = _sets(frames)
    one = make_study("one", sets=sets, noise=0.02)
    other = make_study("two", sets={**sets, "test": tuple(reversed(sets["test"]))}, noise=0.02)
    comparison = compare_studies([one, other])
    assert not [n for n in comparison.notes if "differ" in n]
    assert comparison.sets[-1].structures == 40


def test_different_test_sets_are_flagged_and_cut(make_study: Maker, frames):
    sets = _sets(frames)
    one = make_study("one", sets=sets)
    two = make_study("two", sets={**sets, "test": sets["test"][:25] + frames(5, 77)})
    comparison = compare_studies([one, two])
    assert comparison.sets[-1].structures == 25
    assert any("the test sets differ (one 40, two 30 structures): only the 25" in n for n in comparison.notes)


def test_nothing_in_common_is_refused(make_study: Maker, frames):
    one = make_study("one", sets={"train": frames(5, 1), "test": frames(8, 2)})
    two = make_study("two", sets={"train": frames(5, 1), "test": frames(8, 4)})
    with pytest.raises(InputError, match="no structure in common") as caught:
        compare_studies([one, two])
    assert caught.value.exit_status == 2


def test_other_reference_values_are_refused(make_study: Maker, frames):
    from dataclasses import replace

    sets = {"train": frames(5, 1), "test": frames(8, 2)}
    shifted = tuple(replace(f, energy=f.energy + 1.0) for f in sets["test"])
    one = make_study("one", sets=sets)
    two = make_study("two", sets={**sets, "test": shifted})
    with pytest.raises(InputError, match="reference values of the test sets differ"):
        compare_studies([one, two])


def test_leakage_is_flagged(make_study: Maker, frames):
    sets = _sets(frames)
    one = make_study("one", sets=sets)
    two = make_study("two", sets={**sets, "train": sets["train"] + sets["test"][:3]})
    assert any(
        "3 structures of the test set stand in the training set of two" in n
        for n in compare_studies([one, two]).notes
    )


def test_losses_that_do_not_compare_are_flagged(make_study: Maker, frames):
    sets = _sets(frames)
    one = make_study("one", sets=sets)
    two = make_study("two", sets=sets, study={"loss": {"energy-force": {"alpha": 0.5}}})
    assert any("losses are defined differently" in n for n in compare_studies([one, two]).notes)


def test_unfinished_and_single_studies_are_refused(make_study: Maker):
    one = make_study("one")
    with pytest.raises(InputError, match="two studies"):
        compare_studies([one])
    with pytest.raises(InputError, match="twice"):
        compare_studies([one, one])
    with pytest.raises(InputError, match="no final potential"):
        compare_studies([one, make_study("open", finish=False)])


def test_command(make_study: Maker, frames, tmp_path):
    pytest.importorskip("matplotlib")
    sets = _sets(frames)
    names = [
        str(make_study(n, sets=sets, noise=e).directory) for n, e in (("a", 0.01), ("b", 0.02), ("c", 0.03))
    ]
    outcome = CliRunner().invoke(compare, names, catch_exceptions=False)
    assert outcome.exit_code == 0
    assert "a is better than c" in outcome.output
    outcome = CliRunner().invoke(compare, [*names, "--json"], catch_exceptions=False)
    data = json.loads(outcome.output)
    assert [s["study"] for s in data["studies"]] == ["a", "b", "c"]
    assert len(data["sets"][-1]["verdicts"]) == 9
    outcome = CliRunner().invoke(compare, [*names, "--figures", str(tmp_path / "f")], catch_exceptions=False)
    assert outcome.exit_code == 0
    assert (tmp_path / "f" / "comparison.svg").is_file()


def _tested(results: StudyResults, rows: list[dict]) -> StudyResults:
    return replace(results, facts={**results.facts, "final": {**results.facts["final"], "validators": rows}})


def _row(name: str, passed: bool | None, options: dict | None = None, **values: float) -> dict:
    return {"validator": name, "options": options, "passed": passed, "summary": "said", "values": values}


def test_physical_tests_stand_side_by_side(make_study: Maker, frames):
    sets = _sets(frames)
    one, two = (make_study(n, sets=sets) for n in ("one", "two"))
    one = _tested(
        one,
        [
            _row("dimer", True, {}, holes=0.0, depth=0.5),
            _row("md", False, {"steps": 5}, ps=0.1),
            _row("md", True),
        ],
    )
    two = _tested(two, [_row("md", True, {"steps": 9}, ps=2.0, drift=1.5)])
    comparison = compare_studies([one, two])
    assert [t.name for t in comparison.tests] == ["dimer", "md", "md 2"]
    cells = [row for t in comparison.tests for row in table_rows(t, comparison.names)]
    assert cells == [
        ("dimer", "", "passed", "–"),
        ("", "depth", "0.5", "–"),  # holes are zero for all
        ("md", "", "FAILED", "passed"),
        ("", "ps", "0.1", "2"),
        ("", "drift", "–", "1.5"),
        ("md 2", "", "passed", "–"),
    ]
    assert any("md had other options in one and two" in n for n in comparison.notes)
    data = comparison.to_json()["tests"]
    assert data[1]["studies"]["two"]["values"] == {"ps": 2.0, "drift": 1.5}
    assert "two" not in data[0]["studies"]


def test_page(make_study: Maker, frames, tmp_path):
    pytest.importorskip("matplotlib")
    sets = _sets(frames)
    names = [str(make_study(n, sets=sets).directory) for n in ("a", "b")]
    target = tmp_path / "new" / "page.html"
    outcome = CliRunner().invoke(compare, [*names, "-o", str(target)], catch_exceptions=False)
    assert outcome.exit_code == 0
    text = target.read_text(encoding="utf-8")
    assert "Physical tests" in text
    assert "did not run" in text
    assert "<script>alert" not in text
