"""What is done in one trial, step by step: fit, predict, loss, physical tests, objectives."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from xpot_core.errors import PredictError, PrunedError
from xpot_core.plugins.interfaces import TableLoss, ValidatorProvider
from xpot_core.trial.failure import failed_result
from xpot_core.trial.fits.continued_fit import (
    CHECKPOINT,
    LearningCurve,
    checkpoint_to_resume,
    fold_folder,
    remove_checkpoints,
)
from xpot_core.trial.fits.stage_times import StageTimes
from xpot_core.trial.inner_search import InnerSearch
from xpot_core.trial.run_validators import report_row, run_validator
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.error_sums import ErrorTable, error_table
from xpot_core.types.fitting import Design, DifferentiableDesign, FittedPotential
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame, TrainingData
from xpot_core.types.trials import Failure, InnerSearchResult, TrialResult, TrialState, TrialTask
from xpot_core.types.validating import ValidatorRow


def run_trial(runner: TrialRunner, task: TrialTask) -> TrialResult:
    """Run one trial; any fault becomes a FAILED, INFEASIBLE or TIMEOUT result."""
    start = time.perf_counter()
    directory = Path(task.directory)
    evaluation = Evaluation(runner, task, directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return evaluation.run()
    except (Exception, SystemExit) as error:  # a fitting library may call sys.exit
        evaluation.times.add({"total": time.perf_counter() - start})
        stage = evaluation.stage
        plugin = evaluation.plugin or runner.plugin_of(stage)
        if isinstance(error, PrunedError):
            return evaluation.pruned(error)
        failed = failed_result(task.number, error, stage, plugin, directory, evaluation.times.seconds)
        return replace(failed, curve=evaluation.curve.points)
    finally:
        with contextlib.suppress(OSError):
            directory.rmdir()  # only if the trial left nothing in it


@dataclass
class Evaluation:
    """One trial in the making.

    Attributes
    ----------
    runner
        Fits and predicts.
    task
        What was asked for.
    directory
        The trial's folder.
    stage, plugin
        Where it stands, for the failure that may come.
    """

    runner: TrialRunner
    task: TrialTask
    directory: Path
    times: StageTimes = field(default_factory=StageTimes)
    stage: str = "setup"
    plugin: str = ""
    notes: list[str] = field(default_factory=list)
    inner: InnerSearchResult | None = None
    validators: list[ValidatorRow] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.curve = LearningCurve(self.directory, self.runner.loss_of, self.task.bounds)

    def pruned(self, error: PrunedError) -> TrialResult:
        """The result of a trial that the study stopped: no failure, and no loss that could win."""
        remove_checkpoints(self.directory)
        return TrialResult(
            self.task.number,
            TrialState.PRUNED,
            seconds=self.times.seconds,
            notes=(*self.notes, error.message),
            curve=self.curve.points,
        )

    def run(self) -> TrialResult:
        """From values to objectives.

        Raises
        ------
        XpotError, Exception
            Whatever goes wrong; `stage` says where.
        """
        start = time.perf_counter()
        runner, values, fidelity = self.runner, dict(self.task.values), self.task.fidelity
        data = runner.data_at(fidelity)
        folds: Sequence[int | None] = data.fold_numbers or (None,)
        self.stage = "options"
        # The descriptors do not depend on what the inner search will find.
        complete = {**runner.space.defaults(), **values} if runner.inner else values
        options = runner.options(complete, fidelity)
        self.stage = "fit"
        design = None
        if runner.staged:
            design = runner.design(options, self.directory, self.task.seed, self.times, data)
        if runner.inner:
            assert design is not None
            options = self._inner(design, values, folds)
        loss, errors, potential = self._judge(options, design, folds, data)
        if not math.isfinite(loss.value):
            self.stage = "loss"
            raise PredictError(
                f"the loss is {loss.value}",
                remedy="look at fit.log of the trial; if all trials end so, the validation set has no values that "
                "the loss weighs",
            )
        failure: Failure | None = None
        if fidelity is None and runner.tests:
            failure = self._test(options, design, potential)
        validation = errors["validation"]
        goals = tuple(o.of(float(loss.value), validation, self.validators) for o in runner.objectives)
        if failure is None and not all(map(math.isfinite, goals)):
            self.stage = "objectives"
            missing = [o.name for o, v in zip(runner.objectives, goals, strict=True) if not math.isfinite(v)]
            raise PredictError(f"there is no value of objective {', '.join(missing)}")
        self.times.add({"total": time.perf_counter() - start})
        feasible = failure is None
        return TrialResult(
            self.task.number,
            TrialState.COMPLETE if feasible else TrialState.INFEASIBLE,
            loss=float(loss.value) if feasible else None,
            objectives=goals if feasible else (),
            parts={k: float(v) for k, v in loss.parts.items()},
            errors={name: table.to_json() for name, table in errors.items()},
            seconds=self.times.seconds,
            failure=failure,
            notes=tuple(self.notes),
            potential=potential.to_json() if potential is not None and len(folds) == 1 else None,
            refused_loss=None if feasible else float(loss.value),
            curve=self.curve.points,
            inner=self.inner,
            validators=tuple(self.validators),
            metadata=_plain(self.metadata),
        )

    def _inner(self, design: Design, values: dict[str, Any], folds: Sequence[int | None]) -> BaseModel:
        """Let the inner search choose the regression options."""
        runner = self.runner
        config = runner.study.config.search.nested
        assert config is not None
        assert isinstance(runner.loss.instance, TableLoss)
        self.stage = "inner search"
        search = InnerSearch(
            partial(runner.regress, design),
            partial(runner.regress_gradient, design) if isinstance(design, DifferentiableDesign) else None,
            runner.loss.instance,
            runner.space,
            values,
            lambda v: runner.options(v, self.task.fidelity),
            folds,
            config,
            self.task.inner_start,
        )
        begin = time.perf_counter()
        self.inner = search.run()
        self.times.add({"inner": time.perf_counter() - begin})
        self.stage = "fit"
        return runner.options({**values, **self.inner.values}, self.task.fidelity)

    def _judge(
        self, options: BaseModel, design: Design | None, folds: Sequence[int | None], data: TrainingData
    ) -> tuple[LossValue, dict[str, ErrorTable], FittedPotential | None]:
        """Loss and errors: from the design alone where that is enough, else from predictions."""
        loss: LossValue | None = None
        errors: dict[str, ErrorTable] = {}
        if design is not None and isinstance(self.runner.loss.instance, TableLoss):
            train, validation = ErrorTable(), ErrorTable()
            for fold in folds:
                found = self.runner.regress(design, options, fold)
                train, validation = train + found.train, validation + found.validation
                self.times.add(found.seconds)
                self._note(found.notes)
                self.metadata.update(found.metadata)
            errors = {"train": train, "validation": validation}
            self.stage = "loss"
            loss = self.runner.judge(None, (), validation)
        if loss is not None and not math.isnan(loss.value):
            return loss, errors, None
        return self._fit_and_predict(options, design, folds, data, errors)

    def _fit_and_predict(
        self,
        options: BaseModel,
        design: Design | None,
        folds: Sequence[int | None],
        data: TrainingData,
        errors: dict[str, ErrorTable],
    ) -> tuple[LossValue, dict[str, ErrorTable], FittedPotential]:
        """Fit once per fold, predict what was left out, judge all of it together."""
        frames: list[Frame] = []
        parts: list[Predictions] = []
        potential: FittedPotential | None = None
        runner = self.runner
        below = None if self.task.continues is None else Path(self.task.continues)
        for fold in folds:
            self.stage = "fit"
            target = fold_folder(self.directory, fold)
            potential = runner.fit(
                options,
                target,
                seed=self.task.seed,
                leave_out=fold,
                design=design,
                data=data,
                report=self.curve.report(fold),
                checkpoint=target / CHECKPOINT,
                resume_from=checkpoint_to_resume(self.directory, below, fold),
            )
            self.times.add(potential.seconds)
            self.stage = "predict"
            held_out = data.evaluation(fold).frames
            begin = time.perf_counter()
            parts.append(runner.predict(potential, held_out, target))
            self.times.add({"predict": time.perf_counter() - begin})
            frames += held_out
        assert potential is not None
        predictions = Predictions.joined(parts)
        self.stage = "loss"
        table = error_table(predictions, frames)
        loss = runner.judge(predictions, frames, table)
        self._note(potential.notes)
        self.metadata.update(potential.metadata)
        return loss, {**errors, "validation": table}, potential

    def _test(
        self, options: BaseModel, design: Design | None, potential: FittedPotential | None
    ) -> Failure | None:
        """Physical tests of a fit to all frames; the first constraint that fails ends them."""
        runner = self.runner
        if potential is None or runner.dataset.data.fold_numbers:
            self.stage = "fit"
            potential = runner.fit(options, self.directory / "all", seed=self.task.seed, design=design)
        self.stage = "validate"
        begin = time.perf_counter()
        failure = None
        for number, (block, binding) in enumerate(runner.tests):
            name = next(iter(block))
            self.plugin = f"validator {name}"
            report = run_validator(
                runner.registry,
                block,
                potential,
                runner.dataset.data.training(),
                self.directory / f"validator-{number}-{name}",
                seed=self.task.seed,
                threads=runner.threads,
                base=runner.study.base,
            )
            # tables of every trial would be too much for the store
            self.validators.append(replace(report_row(name, report), tables=None))
            if binding and not report.passed:
                meaning = runner.registry.get(ValidatorProvider, name).reasons.get(report.reason)
                kept = "its errors are kept: see xpot show"
                hint = f"{meaning}; {kept}" if meaning else kept
                failure = Failure("constraint", self.plugin, report.summary, hint, reason=report.reason)
                break
        self.plugin = ""
        self.times.add({"validate": time.perf_counter() - begin})
        return failure

    def _note(self, notes: Sequence[str]) -> None:
        self.notes += [n for n in notes if n not in self.notes]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what JSON can hold; numpy scalars become numbers."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
