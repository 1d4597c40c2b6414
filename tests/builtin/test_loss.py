"""The loss of the paper by hand, its extensions and its gradient."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from xpot_core.builtin.loss import EnergyForceLoss
from xpot_core.builtin.loss_options import EnergyForceOptions
from xpot_core.errors import InputError
from xpot_core.plugins.registry import load_registry
from xpot_core.types.error_sums import ErrorSums, ErrorTable, error_table, voigt
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame


def frame(
    n: int, energy: float | None, forces: float | None, virial: float | None = None, group: str = "a"
) -> Frame:
    return Frame(
        Atoms(f"Ar{n}", positions=np.zeros((n, 3)), cell=[5, 5, 5], pbc=True),
        energy,
        None if forces is None else np.full((n, 3), forces),
        None if virial is None else np.full((3, 3), virial),
        group,
    )


FRAMES = [frame(4, 10.0, 0.0, 0.0, "a"), frame(1, 3.0, 0.5, 0.0, "b")]
PREDICTED = Predictions(
    np.array([10.4, 2.7]),
    [np.full((4, 3), 0.1), np.full((1, 3), 0.2)],
    np.array([np.full((3, 3), 2.0), np.full((3, 3), 0.5)]),
)
# dE = 0.4 in a cell of 4 atoms, -0.3 in one of 1; force components off by 0.1 (12 of them) and -0.3 (3).
E = math.sqrt((0.4**2 / 4 + 0.3**2 / 1) / 2)
F = math.sqrt((12 * 0.1**2 + 3 * 0.3**2) / 15)


def loss(**options: object) -> EnergyForceLoss:
    return EnergyForceLoss(EnergyForceOptions.model_validate(options))


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.8, 1.0])
def test_formula_of_the_paper(alpha: float) -> None:
    found = loss(alpha=alpha).compute(PREDICTED, FRAMES)
    assert found.value == pytest.approx(alpha * E + (1 - alpha) * F, rel=1e-14)
    expected = {"energy_sqrt": E, "force": F}
    assert found.parts == pytest.approx(
        {
            k: v
            for k, v in expected.items()
            if not (k == "force" and alpha == 1.0) and not (k == "energy_sqrt" and alpha == 0.0)
        }
    )


def test_default_alpha_is_a_half() -> None:
    assert loss().compute(PREDICTED, FRAMES).value == pytest.approx(0.5 * (E + F))


def test_mean_absolute_deviations() -> None:
    expected = 0.8 * (0.4 / 2 + 0.3) / 2 + 0.2 * (12 * 0.1 + 3 * 0.3) / 15
    assert loss(alpha=0.8, measure="mae").compute(PREDICTED, FRAMES).value == pytest.approx(expected)


def test_virial_term_per_atom() -> None:
    v = math.sqrt((6 * (2.0 / 4) ** 2 + 6 * 0.5**2) / 12)
    assert loss(alpha=1.0, virial=0.3).compute(PREDICTED, FRAMES).value == pytest.approx(E + 0.3 * v)


def test_share_of_virials_is_a_geometric_mean() -> None:
    plain = loss(alpha=0.4).compute(PREDICTED, FRAMES).value
    found = loss(alpha=0.4, virial_share=0.1).compute(PREDICTED, FRAMES)
    assert found.value == pytest.approx(plain**0.9 * found.parts["virial"] ** 0.1)
    # whatever the size of the errors, a tenth less in virials is worth a hundredth more in the rest
    assert pytest.approx(1 / 1.0117**0.9, rel=1e-4) == 0.9**0.1


def test_group_weights_enter_the_means() -> None:
    e = math.sqrt((3 * 0.4**2 / 4 + 0.3**2) / 4)
    f = math.sqrt((3 * 12 * 0.1**2 + 3 * 0.3**2) / (3 * 12 + 3))
    assert loss(alpha=0.8, group_weights={"a": 3}).compute(PREDICTED, FRAMES).value == pytest.approx(
        0.8 * e + 0.2 * f
    )
    only_b = loss(alpha=0.5, group_weights={"a": 0}).compute(PREDICTED, FRAMES)
    assert only_b.value == pytest.approx(0.5 * (0.3 + 0.3))


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"alpha": 1.1}, "alpha"),
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": "high"}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"virial": -1}, "virial"),
        ({"measure": "max"}, "measure"),
        ({"group_weights": {"a": -1}}, "group_weights.a"),
        ({"group_weights": {"a": float("nan")}}, "group_weights.a"),
        ({"alpa": 0.5}, "alpa"),
    ],
)
def test_wrong_options_are_input_errors(options: dict[str, object], key: str) -> None:
    with pytest.raises(InputError) as caught:
        load_registry().create("loss", "energy-force", options)
    assert (caught.value.key or "") == f"loss.energy-force.{key}"


def test_missing_data_give_nan_where_needed_and_nothing_where_not() -> None:
    no_forces = [frame(4, 10.0, None), frame(1, 3.0, None)]
    assert math.isnan(loss(alpha=0.8).compute(PREDICTED, no_forces).value)
    assert loss(alpha=1.0).compute(PREDICTED, no_forces).value == pytest.approx(E)
    no_energies = [frame(4, None, 0.0), frame(1, None, 0.5)]
    assert math.isnan(loss(alpha=0.1).compute(PREDICTED, no_energies).value)
    assert loss(alpha=0.0).compute(PREDICTED, no_energies).value == pytest.approx(F)
    some = [FRAMES[0], frame(1, None, None, group="b")]
    assert loss(alpha=1.0).compute(PREDICTED, some).value == pytest.approx(0.4 / 2)
    assert math.isnan(
        loss(alpha=0.5, virial=1.0).compute(PREDICTED, [frame(4, 10.0, 0.0), frame(1, 3.0, 0.5)]).value
    )


def test_nan_prediction_is_no_small_loss() -> None:
    broken = Predictions(np.array([np.nan, 2.7]), PREDICTED.forces)
    assert math.isnan(loss().compute(broken, FRAMES).value)


def test_all_groups_without_weight_is_no_number() -> None:
    assert math.isnan(loss(group_weights={"a": 0, "b": 0}).compute(PREDICTED, FRAMES).value)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.8},
        {"alpha": 0.3, "virial": 0.7, "group_weights": {"a": 2.5}},
        {"alpha": 0.3, "virial_share": 0.2, "group_weights": {"a": 2.5}},
        {"alpha": 0.3, "virial": 0.7, "virial_share": 0.2},
    ],
)
def test_sensitivity_against_differences(options: dict[str, object]) -> None:
    one = loss(**options)
    table = error_table(PREDICTED, FRAMES)
    slopes = one.sensitivity(table)
    for quantity, row in table.sums.items():
        for group, sums in row.items():
            step = 1e-5 * sums.square
            values = []
            for square in (sums.square - step, sums.square + step):
                rows = {q: dict(r) for q, r in table.sums.items()}
                rows[quantity][group] = ErrorSums(sums.count, square, sums.absolute)
                values.append(one.from_errors(ErrorTable(rows)).value)
            expected = (values[1] - values[0]) / (2 * step)
            assert slopes.get(quantity, {}).get(group, 0.0) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_mean_absolute_has_no_gradient_and_needs_absolutes() -> None:
    with pytest.raises(InputError, match="no gradient"):
        loss(measure="mae").sensitivity(error_table(PREDICTED, FRAMES))
    squares_only = ErrorTable(
        {"energy_sqrt": {"a": ErrorSums(2, 1.0, None)}, "force": {"a": ErrorSums(2, 1.0, None)}}
    )
    assert math.isnan(loss(measure="mae").from_errors(squares_only).value)


# -- the reported errors ---------------------------------------------------------------------------


def test_reported_errors_are_per_atom_and_per_component() -> None:
    summary = error_table(PREDICTED, FRAMES).summary()
    assert summary["energy_rmse"] == pytest.approx(1000 * math.sqrt((0.1**2 + 0.3**2) / 2))
    assert summary["energy_mae"] == pytest.approx(1000 * 0.2)
    assert summary["force_rmse"] == pytest.approx(F)
    assert summary["groups"]["b"]["energy_rmse"] == pytest.approx(300.0)
    assert summary["virial_rmse"] == pytest.approx(500.0)
    bare = error_table(
        Predictions(PREDICTED.energies, PREDICTED.forces), [frame(4, 10.0, None), frame(1, 3.0, None)]
    )
    assert bare.summary()["force_rmse"] is None


def test_sums_of_parts_are_the_whole() -> None:
    table = error_table(PREDICTED, FRAMES)
    first = Predictions(PREDICTED.energies[:1], PREDICTED.forces[:1], PREDICTED.virials[:1])
    second = Predictions(PREDICTED.energies[1:], PREDICTED.forces[1:], PREDICTED.virials[1:])
    total = error_table(first, FRAMES[:1]) + error_table(second, FRAMES[1:])
    assert total.to_json() == table.to_json()
    assert ErrorTable.from_json(table.to_json()).summary() == table.summary()
    with pytest.raises(ValueError, match="unknown quantity"):
        total.add("entropy", "a", ErrorSums())


def test_joined_predictions_have_what_every_part_has() -> None:
    full = replace(PREDICTED, energy_variance=np.array([0.1, 0.2]))
    joined = Predictions.joined([full, full])
    assert joined.energies.tolist() == [*full.energies, *full.energies]
    assert len(joined.forces) == 4
    assert joined.virials is not None
    assert joined.virials.shape == (4, 3, 3)
    assert joined.energy_variance is not None
    assert joined.energy_variance.tolist() == [0.1, 0.2, 0.1, 0.2]
    assert Predictions.joined([full, PREDICTED]).energy_variance is None


def test_voigt_order_and_symmetry() -> None:
    matrix = np.arange(9.0).reshape(3, 3)
    assert voigt(matrix).tolist() == [0.0, 4.0, 8.0, 6.0, 4.0, 2.0]
