"""One trial from values to loss: fit, predict, loss; every failure contained and explained."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from xpot_core.data.dataset import Dataset, load_dataset
from xpot_core.data.reuse import get_or_make
from xpot_core.data.use import check_labels, without_effect
from xpot_core.errors import InputError, PredictError
from xpot_core.optimize.objectives import read_objectives
from xpot_core.optimize.successive_halving import Ladder
from xpot_core.options.check import check_groups, validate_options
from xpot_core.plugins.interfaces import (
    Component,
    ExecutorOptions,
    Fitter,
    FitterProvider,
    Loss,
    Predictor,
    StagedFitter,
    TableLoss,
)
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.space.parameters import Space
from xpot_core.space.read import build_space
from xpot_core.study_file.read import StudyFile, study_from_dict
from xpot_core.study_file.schema import StudyConfig
from xpot_core.system.cache.entry_file import work_for
from xpot_core.system.memory import machine_memory
from xpot_core.system.progress import Tell, untold
from xpot_core.trial.fits.prepared import PreparedFitter, options_key
from xpot_core.trial.fits.stage_times import StageTimes
from xpot_core.trial.inner_search import inner_names
from xpot_core.trial.run_validators import check_validators, effort
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import (
    Design,
    DesignErrors,
    DifferentiableDesign,
    FitRequest,
    FittedPotential,
    KernelDesign,
    Limits,
    Sensitivity,
)
from xpot_core.types.predicting import LossValue, Predictions
from xpot_core.types.structures import Frame, TrainingData
from xpot_core.types.trials import WorkerSpec

if TYPE_CHECKING:
    from xpot_core.results.read import StudyResults

_DESIGNS_KEPT = 2
_FOR_DESIGNS = 0.25
"""Part of a trial's memory that designs may take together: solving needs as much again, and there are frames."""
_FOR_TRIALS = 0.8
"""Part of the machine's memory for all trials that run on it at once, where the study says nothing."""


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
        How many threads one fit may use; by default what the study's executor is told.
    warn
        Whether anybody reads the warnings of the data that are read here.
    """

    def __init__(
        self,
        study: StudyFile,
        *,
        dataset: Dataset | None = None,
        registry: Registry | None = None,
        threads: int | None = None,
        warn: bool = True,
    ) -> None:
        self.study = study
        config = study.config
        self.registry = registry or load_registry([study.resolve(p) for p in config.plugins])
        self.dataset = dataset or load_dataset(study, warn=warn)
        executor = self._executor_options()
        self.threads = threads or (executor.threads if executor is not None else 1)
        self.limits = Limits(config.limits.time, config.limits.memory or _fair_memory(executor))
        name = config.name_of("fitter")
        self.fitter: Component[Fitter] = self.registry.create_fitter(name, None)
        self.space: Space = self._space(name)
        self.loss: Component[Loss] = self.registry.create("loss", *next(iter(config.loss.items())))
        loss_name, loss_options = next(iter(config.loss.items()))
        check_groups(self.loss.provider.options, loss_options, self.dataset.data.groups, f"loss.{loss_name}")
        check_labels(self.registry.get(FitterProvider, name), self.dataset.data)
        idle = without_effect(self.fitter.provider, self.space, self.dataset.data)
        self.dataset = replace(self.dataset, warnings=(*self.dataset.warnings, *idle))
        self._read_search(config)
        self.progress: Tell = untold
        """Hears how far a long fit is."""
        self._predictor: Component[Predictor] | None = None
        if config.predictor is not None:
            self._predictor = self.registry.create("predictor", *next(iter(config.predictor.items())))
        # Sparse points of a design may be drawn with the seed, so it belongs to what is shared.
        of = (self.dataset.fingerprint, name, config.seed, config.plugins, config.limits.model_dump())
        self._designs: OrderedDict[tuple[str, str], Design] = get_or_make("designs", of, OrderedDict)

    @classmethod
    def of_results(cls, results: StudyResults) -> TrialRunner:
        """The runner of a study that was run, to make its potentials again.

        Raises
        ------
        InputError
            If the data are no longer those that its errors were computed on.
        """
        runner = cls(results.study_file)
        known = results.facts.get("identity") or {}
        if runner.dataset.fingerprint != known.get("data", runner.dataset.fingerprint):
            raise InputError(
                f"the data files changed since {results.name} was run: its errors are not those of these data",
                key="data",
                file=results.directory / "study.yaml",
                remedy="put the old files back, or run the study anew under another name",
            )
        return runner

    @classmethod
    def from_spec(cls, spec: WorkerSpec) -> TrialRunner:
        """Build the runner inside a worker process."""
        runner = cls(study_from_dict(spec.study, spec.base), threads=spec.threads, warn=False)
        if spec.fingerprint is not None and runner.dataset.fingerprint != spec.fingerprint:
            raise InputError("the data files changed while the study was running", key="data")
        return runner

    def _executor_options(self) -> ExecutorOptions | None:
        """Options of the executor; None if it is not installed, or has others."""
        name, options = next(iter(self.study.config.executor.items()))
        if name not in self.registry.names("executor"):
            return None
        declared = validate_options(self.registry.provider("executor", name).options, options or {})
        return declared if isinstance(declared, ExecutorOptions) else None

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

    def _read_search(self, config: StudyConfig) -> None:
        """What the study file says about objectives, physical tests, levels and rungs."""
        check_validators(self.registry, config.constraints, "constraints")
        check_validators(self.registry, config.validate_with, "validate")
        listed = [*config.constraints, *config.validate_with]
        names = [next(iter(block)) for block in listed]
        self.objectives = read_objectives(config.objectives, names)
        wanted = {o.validator for o in self.objectives if o.validator}
        wanted -= {next(iter(block)) for block in config.constraints}
        measured = [b for b in config.validate_with if next(iter(b)) in wanted]
        tests = [(b, True) for b in config.constraints] + [(b, False) for b in measured]
        self.tests = sorted(tests, key=lambda test: effort(self.registry, test[0]))
        """Physical tests of every trial, cheap ones first, and whether failing one makes it INFEASIBLE."""
        self.ladder: Ladder | None = None
        if config.fidelity is not None:
            tested = [o.name for o in self.objectives if o.validator]
            if tested:
                raise InputError(
                    f"has no value of {tested[0]} below full cost",
                    key="fidelity",
                    remedy="take out fidelity, or the objectives of validators",
                )
            self.ladder = Ladder.read(config.fidelity, self.fitter.provider.options, self.space)
        self.inner: tuple[str, ...] = ()
        if config.search.nested is not None:
            self.inner = self._inner_names()

    def _inner_names(self) -> tuple[str, ...]:
        remedy = "use search: flat"
        if not self.staged:
            raise InputError(
                f"needs a staged fitter, which '{self.fitter.name}' is not",
                key="search.nested",
                remedy=remedy,
            )
        if not isinstance(self.loss.instance, TableLoss):
            raise InputError(
                f"needs a loss made of error sums, which '{self.loss.name}' is not",
                key="search.nested",
                remedy=remedy,
            )
        names = inner_names(self.space)
        if not names:
            raise InputError(
                "there is nothing for the inner search",
                key="search.nested",
                remedy="give a regression option (a weight, a sigma, the ridge) a range, or use search: flat",
            )
        return names

    def loss_of(self, table: ErrorTable) -> float | None:
        """The loss of error sums alone; None where the study's loss needs more."""
        return self.judge(None, (), table).value if isinstance(self.loss.instance, TableLoss) else None

    def options(self, values: Mapping[str, Any], fidelity: float | None = None) -> BaseModel:
        """The fitter's validated options for given hyperparameters, at full cost unless said otherwise."""
        tree = self.space.options(values)
        if self.ladder is not None:
            tree = self.ladder.tree(tree, fidelity)
        return validate_options(self.fitter.provider.options, tree)

    @property
    def staged(self) -> bool:
        """Whether the fitter keeps descriptors between regressions."""
        return isinstance(self.fitter.instance, StagedFitter)

    def data_at(self, fidelity: float | None) -> TrainingData:
        """The frames of a rung of successive halving; all of them without."""
        if self.ladder is None:
            return self.dataset.data
        return self.ladder.data(self.dataset.data, fidelity)

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
        data: TrainingData | None = None,
        **continuing: Any,
    ) -> FittedPotential:
        """Fit to all training frames but one fold.

        Parameters
        ----------
        continuing
            ``report``, ``checkpoint`` and ``resume_from`` of the `FitRequest`.
        """
        directory.mkdir(parents=True, exist_ok=True)
        whole = data or self.dataset.data
        request = self._request(options, whole.training(leave_out), directory, seed)
        request = replace(request, held_out=whole.evaluation(leave_out).frames, **continuing)
        fitter = self.fitter
        if design is not None:
            fitter = replace(fitter, instance=PreparedFitter(design, leave_out))
        me = os.getpid()
        try:
            potential: FittedPotential = self.registry.hook.xpot_fit(
                fitter=fitter, request=replace(request, final=final)
            )
        finally:
            if os.getpid() != me:
                os._exit(1)  # a fork of the fit came back from it: two must not write into the trial's files
        return potential

    def _request(self, options: BaseModel, data: TrainingData, directory: Path, seed: int) -> FitRequest:
        work_for(self.study.config.study)
        return FitRequest(
            options=options,
            data=data,
            directory=directory,
            seed=seed,
            threads=self.threads,
            limits=self.limits,
            tuned=frozenset(self.space.names),
            progress=self.progress,
        )

    def predict(self, potential: FittedPotential, frames: Sequence[Frame], directory: Path) -> Predictions:
        """Evaluate a potential; NaN anywhere is a failure."""
        if self._predictor is None:
            provider = self.registry.predictor_for(potential.format)
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

    def design(
        self,
        options: BaseModel,
        directory: Path,
        seed: int,
        times: StageTimes,
        data: TrainingData | None = None,
        *,
        final: bool = False,
    ) -> Design:
        """Descriptors of all frames, made or kept from an earlier trial; or with another kernel on such ones.

        For a `final` fit the fitter may keep more of them.
        """
        data = data or self.dataset.data
        outer = f"{len(data.frames)} frames {options_key(options, ('kernel', 'regression'))}"
        key = outer, options_key(options, ("regression",))
        if key in self._designs:
            self._designs.move_to_end(key)
            times.add({"descriptors": 0.0})
            return self._designs[key]
        alike = [d for (of, _), d in self._designs.items() if of == outer and isinstance(d, KernelDesign)]
        fitter = replace(self.fitter, instance=PreparedFitter(alike[-1])) if alike else self.fitter
        while self._designs and (len(self._designs) >= _DESIGNS_KEPT or self._designs_are_large()):
            self._designs.popitem(last=False)
        request = replace(self._request(options, data, directory, seed), final=final)
        design: Design = self.registry.hook.xpot_prepare(fitter=fitter, request=request)
        self._designs[key] = design
        times.add(design.seconds)
        return design

    def _designs_are_large(self) -> bool:
        """Whether those kept leave too little of the memory of a trial to one more of their size."""
        limit = self.limits.memory_bytes
        sizes = [int(getattr(design, "nbytes", 0)) for design in self._designs.values()]
        return limit is not None and sum(sizes) + max(sizes) > _FOR_DESIGNS * limit

    def regress(self, design: Design, options: BaseModel, leave_out: int | None) -> DesignErrors:
        """Errors of one regression on a design."""
        errors: DesignErrors = self.registry.hook.xpot_regress(
            design=design, options=options, leave_out=leave_out
        )
        return errors

    def regress_gradient(
        self,
        design: DifferentiableDesign,
        options: BaseModel,
        names: Sequence[str],
        sensitivity: Sensitivity,
        leave_out: int | None,
    ) -> tuple[DesignErrors, dict[str, float]]:
        """Errors of one regression and a gradient by regression options."""
        found: tuple[DesignErrors, dict[str, float]] = self.registry.hook.xpot_regress_gradient(
            design=design, options=options, names=names, sensitivity=sensitivity, leave_out=leave_out
        )
        return found

    def judge(
        self, predictions: Predictions | None, reference: Sequence[Frame], errors: ErrorTable
    ) -> LossValue:
        """Loss of predictions, or of error sums alone."""
        loss: LossValue = self.registry.hook.xpot_compute_loss(
            loss=self.loss, predictions=predictions, reference=tuple(reference), errors=errors
        )
        return loss

    def plugin_of(self, stage: str) -> str:
        """Whose code runs in a stage of a trial: for messages."""
        if stage == "predict" and self._predictor is not None:
            return f"predictor {self._predictor.name}"
        return f"loss {self.loss.name}" if stage == "loss" else f"fitter {self.fitter.name}"


def _fair_memory(executor: ExecutorOptions | None) -> int | None:
    """The share of a trial in this machine; None where trials run elsewhere."""
    trials = executor.trials_here if executor is not None else None
    return None if trials is None else int(_FOR_TRIALS * machine_memory() / trials)
