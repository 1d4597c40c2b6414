"""Rules of iterative fits: they report, they obey, and going on equals never having stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from xpot_core.errors import PrunedError
from xpot_core.options.find import option_with
from xpot_core.options.roles import Role
from xpot_core.testing.contracts.contract import NotApplicable, scratch
from xpot_core.testing.rules.bench import ONE, FitterBench, assert_same
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.structures import TrainingData


class ContinuingRules(FitterBench):
    """Rules of fitters with an option of role ``steps``; others skip them.

    Attributes
    ----------
    continuing_tolerance
        How far a continued fit may be from an uninterrupted one, in eV and eV/Å.
    """

    continuing_tolerance: ClassVar[float] = 1e-9

    def test_a_continued_fit_equals_an_uninterrupted_one(self) -> None:
        """Half of the steps, then the rest from the checkpoint: the same potential, and no step done twice."""
        data, total = self.data(folds=3), self._steps()
        half = max(1, total // 2)
        with scratch() as folder:
            whole, _ = self._reported(self._with(total), data, folder / "whole")
            kept = folder / "half" / "checkpoint"
            self._reported(self._with(half), data, folder / "half", checkpoint=kept)
            assert kept.is_dir(), "the fit kept no checkpoint"
            before = {p: p.read_bytes() for p in kept.rglob("*") if p.is_file()}
            rest, steps = self._reported(self._with(total), data, folder / "rest", resume_from=kept)
            assert steps == list(range(half + 1, total + 1)), f"the continued fit reports the steps {steps}"
            assert before == {p: p.read_bytes() for p in kept.rglob("*") if p.is_file()}, (
                "the fit changed the checkpoint that it resumed from"
            )
            one, other = (self.predict(p, data.frames, folder / "predict") for p in (whole, rest))
        assert_same(one, other, data.frames, self.continuing_tolerance, "continued and uninterrupted fit")

    def test_a_finished_fit_is_continued_without_a_step(self) -> None:
        """A checkpoint of all steps gives its potential at once."""
        data, total = self.data(folds=3), self._steps()
        with scratch() as folder:
            kept = folder / "whole" / "checkpoint"
            self._reported(self._with(total), data, folder / "whole", checkpoint=kept)
            _, steps = self._reported(self._with(total), data, folder / "again", resume_from=kept)
        assert steps == [], f"the continued fit reports the steps {steps}"

    def test_every_step_is_reported(self) -> None:
        """Steps count from one, and their errors on the held-out frames are finite."""
        total = self._steps()
        errors: list[Any] = []
        with scratch() as folder:
            _, steps = self._reported(self._with(total), self.data(folds=3), folder, seen=errors)
        assert steps == list(range(1, total + 1)), f"the fit of {total} steps reports the steps {steps}"
        for step, found in zip(steps, errors, strict=True):
            numbers = found.to_json() if isinstance(found, ErrorTable) else found
            assert numbers, f"step {step} is reported without errors"
            if not isinstance(found, ErrorTable):
                assert np.isfinite(list(found.values())).all(), f"the errors of step {step} are {found}"

    def test_a_stop_is_obeyed_at_once(self) -> None:
        """`PrunedError` of a report ends the fit; no further step is done."""
        stop = max(1, self._steps() // 2)
        steps: list[int] = []

        def report(step: int, errors: Any) -> None:
            steps.append(step)
            if step >= stop:
                raise PrunedError("enough")

        stopped = False
        with scratch() as folder:
            try:
                self._fit(self._with(self._steps()), self.data(folds=3), folder, report=report)
            except PrunedError:
                stopped = True
        assert stopped, "the fit swallows PrunedError"
        assert steps[-1] == stop, f"the fit went on to step {steps[-1]} after a stop at {stop}"

    def _option(self) -> str:
        """Path of the option that counts the steps."""
        found = option_with(self.declaration.options, Role.STEPS)
        if found is None:
            raise NotApplicable("no option has the role steps")
        return found

    def _steps(self) -> int:
        return int(getattr(self.options(), self._option()))

    def _with(self, steps: int) -> BaseModel:
        return self.validated({**self.raw_options(), self._option(): steps}, ONE)

    def _reported(
        self,
        options: BaseModel,
        data: TrainingData,
        folder: Path,
        *,
        seen: list[Any] | None = None,
        **rest: Any,
    ) -> tuple[FittedPotential, list[int]]:
        """A fit without the first fold, and the steps that it reports."""
        steps: list[int] = []

        def report(step: int, errors: Mapping[str, float] | ErrorTable) -> None:
            steps.append(step)
            if seen is not None:
                seen.append(errors)

        return self._fit(options, data, folder, report=report, **rest), steps

    def _fit(self, options: BaseModel, data: TrainingData, folder: Path, **rest: Any) -> FittedPotential:
        request = self.request(options, data.training(0), folder, held_out=data.evaluation(0).frames, **rest)
        return self.component().instance.fit(request)
