"""The contract of losses: smaller is better, and nothing is counted that is not there.

Examples
--------
::

    from xpot_core.testing import LossContract

    class TestMine(LossContract):
        provider = "mine"
        options = {"alpha": 0.8}
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from xpot_core.plugins.interfaces import Loss, TableLoss
from xpot_core.testing.contracts.contract import Contract, NotApplicable
from xpot_core.testing.frames import frames
from xpot_core.types.error_sums import ErrorSums, ErrorTable, error_table
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame


class LossContract(Contract):
    """Rules of losses.

    Attributes
    ----------
    options
        Options of the loss; every term that it has should weigh something.
    zero_at_best
        False for a loss that is not 0 for perfect predictions.
    """

    kind: ClassVar[Any] = "loss"
    options: ClassVar[dict[str, Any]] = {}
    zero_at_best: ClassVar[bool] = True

    def loss(self) -> Loss:
        """A fresh loss."""
        loss: Loss = self.registry.create("loss", self.provider, dict(self.options)).instance
        return loss

    def test_perfect_predictions_are_best(self) -> None:
        """They give 0, and any deviation gives more."""
        chosen = frames()
        best = self._value(_predictions(chosen, 0.0), chosen)
        if self.zero_at_best:
            assert abs(best) < 1e-12, f"the loss of perfect predictions is {best:.3g}"
        assert self._value(_predictions(chosen, 0.01), chosen) > best

    def test_larger_deviations_give_a_larger_loss(self) -> None:
        """Ten times the deviation is worse, at every size."""
        chosen = frames()
        losses = [
            self._value(_predictions(chosen, size), chosen) for size in (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
        ]
        assert all(a < b for a, b in itertools.pairwise(losses)), losses
        assert all(math.isfinite(x) for x in losses), losses

    def test_order_of_frames_does_not_matter(self) -> None:
        """Folds come together in any order."""
        chosen, found = frames(), _predictions(frames(), 0.1)
        order = np.random.default_rng(1).permutation(len(chosen))
        virials = None if found.virials is None else found.virials[order]
        turned = Predictions(found.energies[order], [found.forces[i] for i in order], virials)
        a, b = self._value(found, chosen), self._value(turned, [chosen[i] for i in order])
        assert math.isclose(a, b, rel_tol=1e-12)

    def test_missing_references_are_left_out(self) -> None:
        """A frame without a value adds nothing: it does not count as zero deviation or as zero."""
        chosen = list(frames())
        found = _predictions(chosen, 0.1)
        kept = self._value(_part(found, 0, len(chosen) - 1), chosen[:-1])
        chosen[-1] = replace(chosen[-1], energy=None, forces=None, virial=None)
        assert math.isclose(self._value(found, chosen), kept, rel_tol=1e-12)

    def test_masked_forces_are_left_out(self) -> None:
        """Whatever is predicted for a force that the mask leaves out, the loss is the same."""
        chosen, found = list(frames()), _predictions(frames(), 0.1)
        mask = np.arange(chosen[0].n_atoms) > 1
        chosen[0] = replace(chosen[0], force_mask=mask)
        wrong = [found.forces[0] + 9.0 * ~mask[:, None], *found.forces[1:]]
        spoilt = Predictions(found.energies, wrong, found.virials)
        assert math.isclose(self._value(found, chosen), self._value(spoilt, chosen), rel_tol=1e-12)

    def test_no_reference_at_all_is_no_number(self) -> None:
        """NaN, or an error: never a loss of 0 that would look like the best."""
        bare = [replace(f, energy=None, forces=None, virial=None) for f in frames()]
        try:
            value = self._value(_predictions(frames(), 0.1), bare)
        except Exception:
            return
        assert math.isnan(value), f"the loss without any reference value is {value}"

    def test_parts_are_named_numbers(self) -> None:
        """They are stored with the trial."""
        found = self.loss().compute(_predictions(frames(), 0.1), frames())
        assert isinstance(found, LossValue)
        json.dumps({"value": found.value, **found.parts}, allow_nan=False)

    def test_table_gives_the_same_loss(self) -> None:
        """`from_errors` on sums equals `compute` on predictions, or says NaN."""
        loss = self._table_loss()
        chosen, found = frames(), _predictions(frames(), 0.1)
        value = loss.from_errors(error_table(found, chosen)).value
        assert math.isnan(value) or math.isclose(value, loss.compute(found, chosen).value, rel_tol=1e-12)

    def test_tables_of_folds_add_up(self) -> None:
        """The loss of all folds together is that of the sum of their tables."""
        loss = self._table_loss()
        chosen, found = frames(), _predictions(frames(), 0.1)
        parts = [(0, 5), (5, 9), (9, len(chosen))]
        tables = [error_table(_part(found, a, b), chosen[a:b]) for a, b in parts]
        total = ErrorTable()
        for table in tables:
            total = total + table
        whole = loss.from_errors(error_table(found, chosen)).value
        assert math.isclose(loss.from_errors(total).value, whole, rel_tol=1e-12)

    def test_sensitivity_is_the_derivative(self) -> None:
        """Against differences of the loss with each sum of squares."""
        loss = self._table_loss()
        table = error_table(_predictions(frames(), 0.1), frames())
        try:
            slopes = loss.sensitivity(table)
        except Exception as error:
            raise NotApplicable(f"the loss has no gradient here: {error}") from error
        for quantity, row in table.sums.items():
            for group, sums in row.items():
                step = 1e-4 * sums.square
                ends = [
                    loss.from_errors(_with(table, quantity, group, sums.square + s)).value
                    for s in (-step, step)
                ]
                wanted = (ends[1] - ends[0]) / (2 * step)
                given = slopes.get(quantity, {}).get(group, 0.0)
                assert math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-12), (
                    f"d(loss)/d({quantity} of {group}) is {given:.6g}, differences give {wanted:.6g}"
                )

    def _value(self, found: Predictions, chosen: Any) -> float:
        return float(self.loss().compute(found, tuple(chosen)).value)

    def _table_loss(self) -> TableLoss:
        loss = self.loss()
        if not isinstance(loss, TableLoss):
            raise NotApplicable("the loss takes no tables")
        return loss


def _predictions(chosen: tuple[Frame, ...] | list[Frame], size: float) -> Predictions:
    """The reference values, off by a given size at random."""
    rng = np.random.default_rng(3)
    energies, forces, virials = [], [], []
    for frame in chosen:
        assert frame.energy is not None
        assert frame.forces is not None
        energies.append(frame.energy + size * frame.n_atoms * rng.normal())
        forces.append(frame.forces + size * rng.normal(size=(frame.n_atoms, 3)))
        off = rng.normal(size=(3, 3))
        virials.append((np.zeros((3, 3)) if frame.virial is None else frame.virial) + size * (off + off.T))
    return Predictions(np.array(energies), forces, np.array(virials))


def _part(found: Predictions, first: int, last: int) -> Predictions:
    virials = None if found.virials is None else found.virials[first:last]
    return Predictions(found.energies[first:last], found.forces[first:last], virials)


def _with(table: ErrorTable, quantity: str, group: str, square: float) -> ErrorTable:
    rows = {q: dict(row) for q, row in table.sums.items()}
    old = rows[quantity][group]
    rows[quantity][group] = ErrorSums(old.count, square, old.absolute)
    return ErrorTable(rows)
