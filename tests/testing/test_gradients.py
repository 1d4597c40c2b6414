"""The kit looks at gradients where a solver is hard pressed, not where the author of a fitter looked."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpot_core.testing import FitterContract, contract_class


def outsider() -> FitterContract:
    made = contract_class("fitter", "outsider", [Path(__file__).with_name("outsider.py")])()
    assert isinstance(made, FitterContract)
    return made


@pytest.mark.parametrize("rule", ["is_that_of_the_errors", "holds_where_little_is_determined"])
def test_a_gradient_that_is_wrong_at_small_ridge_only_is_refused(rule: str) -> None:
    with pytest.raises(AssertionError, match=r"ridge = 1\.\d+e-12: d\(loss\).*differences give"):
        getattr(outsider(), f"test_gradient_{rule}")()


def test_where_its_author_looked_the_same_gradient_is_right(tmp_path: Path) -> None:
    """Its options and the structures of the kit; the errors are those of exact fits everywhere."""
    made = outsider()
    options, data = made.options(), made.data(folds=3)
    case = made._case("", options, made.prepare(options, data, tmp_path), data)
    made._check(case, {leaf.name: leaf.value for leaf in case.variables})
    made.test_leave_out_equals_a_fit_without_these_frames()
    made.test_regression_options_need_no_new_design()
