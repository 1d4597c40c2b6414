"""Rules of staged fits: a design is a faster way to the same potentials, never to others."""

from __future__ import annotations

import gc
import math
import weakref
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel

from xpot_core.errors import InputError
from xpot_core.options.check import validate_options
from xpot_core.options.declare import Stage
from xpot_core.testing.contracts.contract import NotApplicable, scratch
from xpot_core.testing.rules.bench import FitterBench, assert_same
from xpot_core.testing.rules.perturb import Leaf, accepts, leaves, other_value, put
from xpot_core.types.error_sums import ErrorTable, error_table
from xpot_core.types.fitting import FitRequest, FittedPotential, KernelDesign
from xpot_core.types.structures import EVALUATE_ONLY, TrainingData

_FOLDS = 3


class StagedRules(FitterBench):
    """Rules of `StagedFitter`; a fitter that is not staged skips them.

    Attributes
    ----------
    staged_tolerance
        How far a staged fit may be from the plain one, in eV and eV/Å.
    """

    staged_tolerance: ClassVar[float] = 1e-7

    def test_staged_fit_equals_plain_fit(self) -> None:
        """On all training frames, for one element and for two."""
        for elements in {("Si",), self.most}:
            options, data = self.options(elements), self.data(elements)
            with scratch() as folder:
                design = self.prepare(options, data, folder / "design")
                potential = design.fit(options, directory=self._folder(folder / "fit"))
                found = self.predict(potential, data.frames, folder / "fit")
            base = self.base(elements).predictions
            assert_same(found, base, data.frames, self.staged_tolerance, "staged and plain fit")

    def test_leave_out_equals_a_fit_without_these_frames(self) -> None:
        """What a fold's fit must not see has no influence on it."""
        data, options = self.data(folds=_FOLDS), self.options()
        with scratch() as folder:
            design = self.prepare(options, data, folder / "design")
            for fold in range(_FOLDS):
                staged = design.fit(
                    options, directory=self._folder(folder / f"staged-{fold}"), leave_out=fold
                )
                plain = self.fit(options, data.training(fold), folder / f"plain-{fold}")
                self._assert_same(staged, plain, data, f"without fold {fold} the fits")

    def test_evaluation_frames_are_never_trained_on(self) -> None:
        """An external validation set is in the design and not in the fit."""
        data, options = self.data(), self.options()
        held = replace(data, folds=(*data.folds[:-3], *[EVALUATE_ONLY] * 3))
        with scratch() as folder:
            design = self.prepare(options, held, folder / "design")
            staged = design.fit(options, directory=self._folder(folder / "staged"))
            plain = self.fit(options, held, folder / "plain")
            self._assert_same(staged, plain, data, "the fits")

    def test_errors_are_those_of_the_predictions(self) -> None:
        """`Design.errors` is what predicting with `Design.fit` gives, on both sets and every fold."""
        data, options = self.data(folds=_FOLDS), self.options()
        with scratch() as folder:
            design = self.prepare(options, data, folder / "design")
            for fold in (None, *range(_FOLDS)):
                errors = design.errors(options, leave_out=fold)
                potential = design.fit(
                    options, directory=self._folder(folder / f"fit-{fold}"), leave_out=fold
                )
                for name, part in (("train", data.training(fold)), ("validation", data.evaluation(fold))):
                    predictions = self.predict(potential, part.frames, folder / f"fit-{fold}")
                    same_errors(
                        getattr(errors, name), error_table(predictions, part.frames), f"{name}, fold {fold}"
                    )

    def test_regression_options_need_no_new_design(self) -> None:
        """Every option of stage ``regression`` may change on a design made for another value of it."""
        options, data = self.options(self.most), self.data(self.most)
        changed = self._other_options(options, "regression")
        with scratch() as folder:
            design = self.prepare(options, data, folder / "design")
            for name, chosen in changed.items():
                staged = design.fit(chosen, directory=self._folder(folder / f"staged-{name}"))
                plain = self.fit(chosen, data, folder / f"plain-{name}")
                self._assert_same(staged, plain, data, f"with another '{name}' the fits")

    def test_kernel_options_need_no_new_descriptors(self) -> None:
        """A design made from another one for other options of stage ``kernel`` equals a new one, in any order."""
        options, data = self.options(self.most), self.data(self.most, folds=_FOLDS)
        changed = self._other_options(options, "kernel")
        with scratch() as folder:
            design = self.prepare(options, data, folder / "design")
            assert isinstance(design, KernelDesign), (
                f"options of stage kernel ({', '.join(list(changed)[:-1])}) need a design with `with_kernel`"
            )
            before = design.errors(options, leave_out=1)
            for name, chosen in changed.items():
                design = self._with_kernel(design, self.request(chosen, data, folder / f"kernel-{name}"))
                found = design.errors(chosen, leave_out=1)
                new = self.prepare(chosen, data, folder / f"new-{name}").errors(chosen, leave_out=1)
                same_errors(found.validation, new.validation, f"with another '{name}'")
                assert found.validation.to_json() != before.validation.to_json(), f"'{name}' had no effect"
            back = self._with_kernel(design, self.request(options, data, folder / "back"))
            same_errors(
                back.errors(options, leave_out=1).validation, before.validation, "with the first options"
            )

    @staticmethod
    def _with_kernel(design: KernelDesign, request: FitRequest) -> KernelDesign:
        made = design.with_kernel(request)
        assert isinstance(made, KernelDesign), "`with_kernel` gives a design without `with_kernel`"
        return made

    def test_a_design_remembers_nothing_of_earlier_fits(self) -> None:
        """Thousands of fits come from one design in any order."""
        options, data = self.options(), self.data(folds=_FOLDS)
        with scratch() as folder:
            design = self.prepare(options, data, folder / "design")
            before = design.errors(options, leave_out=1)
            for chosen in self._other_options(options, "regression").values():
                design.errors(chosen, leave_out=0)
            design.fit(options, directory=self._folder(folder / "fit"), leave_out=2)
            after = design.errors(options, leave_out=1)
        assert before.validation.to_json() == after.validation.to_json()
        assert before.train.to_json() == after.train.to_json()

    def test_a_design_is_freed_when_nothing_refers_to_it(self) -> None:
        """Designs are large: in a circle of references they would pile up until Python looks for circles."""
        options, data = self.options(), self.data(folds=_FOLDS)
        gc.collect()
        gc.disable()
        try:
            with scratch() as folder:
                design = self.prepare(options, data, folder / "design")
                design.errors(options, leave_out=0)
                alive = weakref.ref(design)
                del design
                assert alive() is None, "something that the design refers to refers to the design"
        finally:
            gc.enable()

    def test_preparing_and_solving_are_timed(self) -> None:
        """`seconds` tells where the time goes."""
        options, data = self.options(), self.data(folds=_FOLDS)
        with scratch() as folder:
            design = self.prepare(options, data, folder / "design")
            errors = design.errors(options, leave_out=0)
        assert design.seconds.get("descriptors", -1.0) >= 0.0, dict(design.seconds)
        assert errors.seconds.get("solve", -1.0) >= 0.0, dict(errors.seconds)

    def _assert_same(self, a: FittedPotential, b: FittedPotential, data: TrainingData, what: str) -> None:
        one, other = (self.predict(potential, data.frames, potential.directory) for potential in (a, b))
        assert_same(one, other, data.frames, self.staged_tolerance, what)

    @staticmethod
    def _folder(path: Any) -> Any:
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _other_options(self, options: BaseModel, stage: Stage) -> dict[str, BaseModel]:
        """Option of a stage -> options with another value of it, and all of these that go together as one set."""
        everything = options
        found: dict[str, BaseModel] = {}
        for leaf in leaves(options):
            if leaf.info.stage != stage:
                continue

            def validated(value: Any, leaf: Leaf = leaf, base: BaseModel = options) -> BaseModel:
                raw = base.model_dump(mode="json")
                put(raw, leaf.path, value)
                return validate_options(type(options), raw)

            try:
                value = other_value(leaf, accepts(validated))
            except LookupError:
                continue
            found[leaf.name] = validated(value)
            with suppress(InputError):
                everything = validated(value, base=everything)
        if not found:
            raise NotApplicable(f"no option belongs to the stage {stage}")
        found["everything"] = everything
        return found


def same_errors(a: ErrorTable, b: ErrorTable, where: str) -> None:
    """Both tables hold the same counts and root mean squares."""
    for quantity in ("energy", "energy_sqrt", "force", "virial"):
        one, other = a.sums.get(quantity, {}), b.sums.get(quantity, {})
        if quantity == "virial" and not one:
            continue  # a design need not know virials
        assert set(one) == set(other), f"{where}: {quantity} has groups {sorted(one)}, not {sorted(other)}"
        for group, sums in one.items():
            assert sums.count == other[group].count, f"{where}: {quantity} of {group} counts {sums.count}"
            close = math.isclose(sums.rmse, other[group].rmse, rel_tol=1e-3, abs_tol=1e-6)
            assert close, (
                f"{where}: {quantity} of {group} is {sums.rmse:.8g}, by predictions {other[group].rmse:.8g}"
            )
