"""One trial from values to loss: fit, predict, loss; every failure contained and explained."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from xpot_core.config import StudyFile, study_from_dict
from xpot_core.data import Dataset, load_dataset
from xpot_core.errors import InputError, PredictError
from xpot_core.interfaces import Component, Design, Fitter, Loss, Predictor, StagedFitter, TableLoss
from xpot_core.metrics import ErrorTable, error_table
from xpot_core.options import list_item, option_info, submodel
from xpot_core.outcome import failed_result, write_predictions
from xpot_core.registry import Registry, load_registry
from xpot_core.space import Space
from xpot_core.space_reader import build_space
from xpot_core.trials import TrialResult, TrialState, TrialTask
from xpot_core.types import FitRequest, FittedPotential, Frame, Limits, LossValue, Predictions
from xpot_core.validation import validate_options

_DESIGNS_KEPT = 2


@dataclass(frozen=True)
class WorkerSpec:
    """All that a worker process needs to run trials of a study, JSON-able.

    Attributes
    ----------
    study
        The study file as plain data.
    base
        Folder that its relative paths start from.
    threads
        How many threads one trial may use.
    fingerprint
        Of the data set; a worker that reads other data refuses to work.
    """

    study: Mapping[str, Any]
    base: str
    threads: int = 1
    fingerprint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; ``WorkerSpec(**data)`` reads it."""
        return {
            "study": dict(self.study),
            "base": self.base,
            "threads": self.threads,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class FinalModel:
    """The refitted winner with its errors.

    Attributes
    ----------
    errors
        Set (``train``, ``validation``, ``test``) -> errors of the final potential.
    """

    potential: FittedPotential
    errors: Mapping[str, ErrorTable]
    seconds: Mapping[str, float]


@dataclass
class _Clock:
    """Adds up where the time of a trial goes."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, parts: Mapping[str, float]) -> None:
        for name, value in parts.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value


class TrialRunner:
    """Runs the trials of one study; keeps data and designs between them.

    Parameters
    ----------
    study
        The study file.
    dataset
        Its data, if read already.
    registry
        Its plugins, if loaded already.
    threads
        How many threads one trial may use.
    """

    def __init__(
        self,
        study: StudyFile,
        *,
        dataset: Dataset | None = None,
        registry: Registry | None = None,
        threads: int = 1,
    ) -> None:
        self.study = study
        config = study.config
        self.registry = registry or load_registry([study.resolve(p) for p in config.plugins])
        self.dataset = dataset or load_dataset(study)
        self.threads = threads
        self.limits = Limits(config.limits.time, config.limits.memory)
        name = config.name_of("fitter")
        self.fitter: Component[Fitter] = self.registry.create_fitter(name, None)
        self.space: Space = self._space(name)
        self.loss: Component[Loss] = self.registry.create("loss", *next(iter(config.loss.items())))
        self._predictor: Component[Predictor] | None = None
        if config.predictor is not None:
            self._predictor = self.registry.create("predictor", *next(iter(config.predictor.items())))
        self._designs: OrderedDict[str, Design] = OrderedDict()

    @classmethod
    def from_spec(cls, spec: WorkerSpec) -> TrialRunner:
        """Build the runner inside a worker process."""
        runner = cls(study_from_dict(spec.study, spec.base), threads=spec.threads)
        if spec.fingerprint is not None and runner.dataset.fingerprint != spec.fingerprint:
            raise InputError("the data files changed while the study was running", key="data")
        return runner

    def _space(self, name: str) -> Space:
        data = self.dataset.data
        try:
            return build_space(
                self.fitter.provider.options,
                self.study.config.fitter[name],
                groups=data.groups,
                elements=data.elements,
            )
        except InputError as error:
            raise error.at(key=f"fitter.{name}") from error

    def options(self, values: Mapping[str, Any]) -> BaseModel:
        """The fitter's validated options for given hyperparameters."""
        return validate_options(self.fitter.provider.options, self.space.options(values))

    @property
    def staged(self) -> bool:
        """Whether the fitter keeps descriptors between regressions."""
        return isinstance(self.fitter.instance, StagedFitter)

    # -- one trial ---------------------------------------------------------------------------

    def run(self, task: TrialTask) -> TrialResult:
        """Run one trial; any fault becomes a FAILED, INFEASIBLE or TIMEOUT result."""
        start = time.perf_counter()
        directory = Path(task.directory)
        clock = _Clock()
        stage = ["setup"]
        try:
            directory.mkdir(parents=True, exist_ok=True)
            return self._run(task, directory, clock, stage, start)
        except (Exception, SystemExit) as error:  # a fitting library may call sys.exit
            clock.add({"total": time.perf_counter() - start})
            return failed_result(
                task.number, error, stage[0], self._plugin_of(stage[0]), directory, clock.seconds
            )
        finally:
            with contextlib.suppress(OSError):
                directory.rmdir()  # only if the trial left nothing in it

    def _run(
        self, task: TrialTask, directory: Path, clock: _Clock, stage: list[str], start: float
    ) -> TrialResult:
        stage[0] = "options"
        options = self.options(task.values)
        folds: Sequence[int | None] = self.dataset.data.fold_numbers or (None,)
        notes: list[str] = []
        extra: dict[str, Any] = {}
        stage[0] = "fit"
        design = self._design(options, directory, task.seed, clock) if self.staged else None
        loss, errors = None, {}
        if design is not None and isinstance(self.loss.instance, TableLoss):
            train, validation = ErrorTable(), ErrorTable()
            for fold in folds:
                found = design.errors(options, leave_out=fold)
                train, validation = train + found.train, validation + found.validation
                clock.add(found.seconds)
                notes += [n for n in found.notes if n not in notes]
                extra.update(found.metadata)
            errors = {"train": train, "validation": validation}
            stage[0] = "loss"
            loss = self.loss.instance.from_errors(validation)
        potential = None
        if loss is None or math.isnan(loss.value):
            potential, loss, table = self._fit_and_predict(
                options, design, folds, task, directory, clock, stage
            )
            errors["validation"] = table
            notes += [n for n in potential.notes if n not in notes]
            extra.update(potential.metadata)
        if not math.isfinite(loss.value):
            raise PredictError(f"the loss is {loss.value}", remedy="look at fit.log of the trial")
        clock.add({"total": time.perf_counter() - start})
        single = potential is not None and len(folds) == 1
        return TrialResult(
            task.number,
            TrialState.COMPLETE,
            loss=float(loss.value),
            objectives=(float(loss.value),),
            parts={k: float(v) for k, v in loss.parts.items()},
            errors={name: table.to_json() for name, table in errors.items()},
            seconds=clock.seconds,
            notes=tuple(notes),
            potential=potential.to_json() if single and potential else None,
            extra=_plain(extra),
        )

    def _fit_and_predict(
        self,
        options: BaseModel,
        design: Design | None,
        folds: Sequence[int | None],
        task: TrialTask,
        directory: Path,
        clock: _Clock,
        stage: list[str],
    ) -> tuple[FittedPotential, LossValue, ErrorTable]:
        """Fit once per fold, predict what was left out, judge all of it together."""
        frames: list[Frame] = []
        parts: list[Predictions] = []
        potential: FittedPotential | None = None
        for fold in folds:
            stage[0] = "fit"
            target = directory if fold is None else directory / f"fold-{fold}"
            potential = self.fit(options, target, seed=task.seed, leave_out=fold, design=design)
            clock.add(potential.seconds)
            stage[0] = "predict"
            held_out = self.dataset.data.evaluation(fold).frames
            begin = time.perf_counter()
            parts.append(self.predict(potential, held_out, target))
            clock.add({"predict": time.perf_counter() - begin})
            frames += held_out
        assert potential is not None
        predictions = _concatenate(parts)
        stage[0] = "loss"
        loss = self.registry.hook.xpot_compute_loss(
            loss=self.loss, predictions=predictions, reference=tuple(frames)
        )
        return potential, loss, error_table(predictions, frames)

    # -- the verbs ---------------------------------------------------------------------------

    def fit(
        self,
        options: BaseModel,
        directory: Path,
        *,
        seed: int,
        leave_out: int | None = None,
        design: Design | None = None,
        final: bool = False,
    ) -> FittedPotential:
        """Fit to all training frames but one fold."""
        directory.mkdir(parents=True, exist_ok=True)
        request = FitRequest(
            options=options,
            data=self.dataset.data.training(leave_out),
            directory=directory,
            seed=seed,
            threads=self.threads,
            limits=self.limits,
            leave_out=leave_out,
            design=design,
            final=final,
        )
        potential: FittedPotential = self.registry.hook.xpot_fit(fitter=self.fitter, request=request)
        return potential

    def predict(self, potential: FittedPotential, frames: Sequence[Frame], directory: Path) -> Predictions:
        """Evaluate a potential; NaN anywhere is a failure."""
        if self._predictor is None:
            provider = self.registry.for_format("predictor", potential.format)
            self._predictor = self.registry.create("predictor", provider.name)
        directory.mkdir(parents=True, exist_ok=True)
        predictions: Predictions = self.registry.hook.xpot_predict(
            predictor=self._predictor,
            potential=potential,
            frames=tuple(frames),
            directory=directory,
            threads=self.threads,
        )
        bad = [
            frame.source
            for frame, energy, forces in zip(frames, predictions.energies, predictions.forces, strict=True)
            if not (np.isfinite(energy) and np.isfinite(forces).all())
        ]
        if bad:
            raise PredictError(f"the potential gives NaN for {len(bad)} structures, first {bad[0]}")
        return predictions

    def _design(self, options: BaseModel, directory: Path, seed: int, clock: _Clock) -> Design:
        key = descriptor_key(options)
        if key in self._designs:
            self._designs.move_to_end(key)
            clock.add({"descriptors": 0.0})
            return self._designs[key]
        while len(self._designs) >= _DESIGNS_KEPT:
            self._designs.popitem(last=False)
        assert isinstance(self.fitter.instance, StagedFitter)
        design = self.fitter.instance.prepare(
            FitRequest(
                options=options,
                data=self.dataset.data,
                directory=directory,
                seed=seed,
                threads=self.threads,
                limits=self.limits,
            )
        )
        self._designs[key] = design
        clock.add(design.seconds)
        return design

    # -- the winner --------------------------------------------------------------------------

    def finish(
        self, values: Mapping[str, Any], directory: Path, *, seed: int, test: bool = True
    ) -> FinalModel:
        """Refit on all training frames and evaluate every set with the potential itself.

        Writes the potential and ``predictions-<set>.xyz`` to `directory`.
        """
        directory.mkdir(parents=True, exist_ok=True)
        clock = _Clock()
        options = self.options(values)
        design = self._design(options, directory, seed, clock) if self.staged else None
        potential = self.fit(options, directory, seed=seed, design=design, final=True)
        clock.add(potential.seconds)
        sets = {
            "train": self.dataset.data.training().frames,
            "validation": self.dataset.data.evaluation().frames,
            "test": self.dataset.test if test else (),
        }
        tables = {}
        for name, frames in sets.items():
            if frames:
                predictions = self.predict(potential, frames, directory)
                tables[name] = error_table(predictions, frames)
                write_predictions(directory / f"predictions-{name}.xyz", frames, predictions)
        return FinalModel(potential, tables, clock.seconds)

    def _plugin_of(self, stage: str) -> str:
        if stage == "predict" and self._predictor is not None:
            return f"predictor {self._predictor.name}"
        return f"loss {self.loss.name}" if stage == "loss" else f"fitter {self.fitter.name}"


def descriptor_key(options: BaseModel) -> str:
    """JSON of every option that does not belong to the regression stage."""

    def keep(model: BaseModel) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, info in type(model).model_fields.items():
            if option_info(info).stage == "regression":
                continue
            value = getattr(model, name)
            if submodel(info.annotation) is not None and isinstance(value, BaseModel):
                kept[name] = keep(value)
            elif list_item(info.annotation) is not None and isinstance(value, list | tuple):
                kept[name] = [keep(v) if isinstance(v, BaseModel) else v for v in value]
            else:
                kept[name] = value
        return kept

    return json.dumps(keep(options), sort_keys=True, default=str)


def _concatenate(parts: Sequence[Predictions]) -> Predictions:
    have_virials = all(p.virials is not None for p in parts)
    return Predictions(
        np.concatenate([p.energies for p in parts]),
        [forces for p in parts for forces in p.forces],
        np.concatenate([p.virials for p in parts if p.virials is not None]) if have_virials else None,
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what JSON can hold; numpy scalars become numbers."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
