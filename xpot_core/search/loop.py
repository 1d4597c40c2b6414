"""The ask/tell loop: history in, candidates out, trials through an executor, all of it stored."""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from xpot_core.data.dataset import load_dataset
from xpot_core.data.use import check_loss
from xpot_core.errors import InputError, StudyEndedError, XpotError
from xpot_core.optimize.next_trials import NextTrials, starting_points
from xpot_core.optimize.stop_early import stop_bounds
from xpot_core.optimize.stopping import Progress, RunOutcome
from xpot_core.optimize.trial_counts import TrialCounts
from xpot_core.options.find import option_with
from xpot_core.options.roles import Role
from xpot_core.plugins.interfaces import Component, Executor, ExecutorContext, Optimizer, OptimizerProvider
from xpot_core.plugins.registry import load_registry
from xpot_core.search.begin import take_store
from xpot_core.search.checkpoints import Checkpoints
from xpot_core.search.study_identity import open_study
from xpot_core.search.winner.refit_best import finish
from xpot_core.space.history import History
from xpot_core.store import run_lock as lease
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import StudyFile, set_key, study_from_dict
from xpot_core.system.interrupts import Interrupt, came, sigterm_interrupts
from xpot_core.trial.one_trial import run_trial
from xpot_core.trial.run_validators import check_validators
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.trials import Trial, TrialResult, TrialState, TrialTask, WorkerSpec, best_of

_logger = logging.getLogger("xpot")
_INTERRUPTED = RunOutcome("interrupted; the same command continues it", False, interrupted=True)


class Observer(Protocol):
    """Someone who watches a running study; the command line draws its progress from this."""

    def study_started(self, study: Study, trials: list[Trial], budget: int) -> None:
        """The loop begins; `trials` are those of the history."""

    def trial_started(self, trial: Trial) -> None:
        """A trial was handed to the executor."""

    def trial_finished(self, trial: Trial) -> None:
        """A trial is in the store."""

    def progress(self, number: int | None, text: str) -> None:
        """How far a trial is that takes long, or with None the refit of the best one."""

    def message(self, text: str) -> None:
        """Something the user should read."""


class Study:
    """A search that can be stopped at any moment and run again.

    Parameters
    ----------
    file
        The study file.
    runs
        Folder that holds the folder of each study.

    Raises
    ------
    InputError
        For anything wrong in the study file, its data or its plugins.
    """

    def __init__(self, file: StudyFile, runs: str | Path = "runs") -> None:
        self.file = file
        self.config = file.config
        self.directory = (Path(runs) / self.config.study).resolve()
        try:
            self.registry = load_registry([file.resolve(p) for p in self.config.plugins])
            self.optimizer: Component[Optimizer] = self._create("optimizer")
            self.executor: Component[Executor] = self._create("executor")
            tests = (
                ("validate", self.config.validate_with),
                ("constraints", self.config.constraints),
            )
            for key, blocks in tests:
                for block in blocks:
                    self._known("validator", next(iter(block)), key=key)
            # Names are checked before data are read: a typo is told in a second.
            for kind in ("fitter", "loss"):
                self._known(kind, self.config.name_of(kind))
            self.dataset = load_dataset(file)
            self.runner = TrialRunner(file, dataset=self.dataset, registry=self.registry)
            self.dataset = self.runner.dataset  # with what the study makes of it
            self.space = self.runner.space
            self._check_number()
            self.starts = starting_points(self.config.start_with, self.space)
            frames = self.dataset.data.training()
            for key, blocks in tests:
                check_validators(self.registry, blocks, key, data=frames, base=file.base)
        except InputError as error:
            raise file.located(error) from error
        self.next_trials = NextTrials(
            self.registry,
            self.optimizer,
            self.space,
            self.runner.inner,
            self.starts,
            self.runner.objectives,
            self.runner.ladder,
            self.config.seed,
        )
        self._stop = threading.Event()

    @classmethod
    def from_dict(
        cls,
        raw: Mapping[str, Any],
        base: str | Path = ".",
        *,
        runs: str | Path = "runs",
        settings: Mapping[str, Any] | None = None,
    ) -> Study:
        """A study from what a study file says, as plain data.

        Parameters
        ----------
        raw
            The study file.
        base
            Folder that relative paths start from.
        runs
            Folder that holds the folder of each study.
        settings
            Dotted keys -> values that take the place of what stands in `raw`.
        """
        plain = copy.deepcopy(dict(raw))
        for key, value in (settings or {}).items():
            set_key(plain, key, value)
        return cls(study_from_dict(plain, base), runs)

    def _create(self, kind: Any) -> Component[Any]:
        name, options = next(iter(getattr(self.config, kind).items()))
        self._known(kind, name)
        return self.registry.create(kind, name, options)

    def _check_number(self) -> None:
        """Some optimizers are made for few hyperparameters."""
        searched, most = (
            len(self.space) - len(self.runner.inner),
            self.registry.get(OptimizerProvider, self.optimizer.name).most_parameters,
        )
        if searched > most:
            raise InputError(
                f"moves at most {most} hyperparameters, and {searched} are searched",
                key=f"optimizer.{self.optimizer.name}",
                remedy="fix some of them, or use random, sobol or optuna-tpe",
            )

    def _known(self, kind: Any, name: str, *, key: str | None = None) -> None:
        try:
            self.registry.provider(kind, name)
        except InputError as error:
            raise error.at(key=key or kind) from error

    def check_loss(self) -> None:
        """Refuse a loss that no trial can have a value of; one fit needs no loss."""
        try:
            check_loss(self.runner.loss, self.dataset.data)
        except InputError as error:
            raise self.file.located(error) from error

    # -- running -------------------------------------------------------------------------------

    def run(
        self,
        *,
        trials: int | None = None,
        seconds: float | None = None,
        observer: Observer | None = None,
        restart: bool = False,
        extend: bool = False,
    ) -> RunOutcome:
        """Run or resume the search, then refit the best trial.

        Ctrl-C and SIGTERM end it cleanly and do not raise: look at `RunOutcome.interrupted`.

        Parameters
        ----------
        trials, seconds
            Override the budget of the study file.
        observer
            Is told what happens.
        restart
            Move an earlier study of this name aside and start anew.
        extend
            Go on with a changed search space; the trials so far are expressed in it and count as
            those of an earlier study.

        Raises
        ------
        StudyChangedError
            If the stored study was made with other data, fitter options or loss.
        StudyLockedError
            If another process runs it.
        """
        self.check_loss()
        store = take_store(self.directory, restart=restart)
        try:
            with self._heartbeat(), sigterm_interrupts():
                for sentence in open_study(self.runner, store, self.directory, extend=extend):
                    _logger.info(sentence)
                    if observer:
                        observer.message(sentence)
                self._notify("xpot_study_started", study=dict(self.file.raw), directory=self.directory)
                asked = trials or self.config.budget.trials
                store.set("asked_trials", asked)
                outcome = self._loop(store, asked, seconds, observer)
                best = best_of(store.trials())
                if best is not None and not outcome.interrupted:
                    if observer:
                        self.runner.progress = partial(observer.progress, None)
                    best = finish(self.runner, store, self.directory, observer)
                self._notify("xpot_study_finished", best=best, directory=self.directory)
            return outcome
        except (KeyboardInterrupt, Interrupt):
            # Before the first trial, or in the refit after the last one; `_loop` sees to what is between.
            return _INTERRUPTED
        finally:
            with contextlib.suppress(XpotError):
                store.release()
            store.close()

    def stop(self) -> None:
        """Ask a running loop to end after the trials at work (from another thread)."""
        self._stop.set()

    def history(self, trials: list[Trial]) -> History:
        """What the optimizer may know."""
        return self.next_trials.history(trials)

    def _loop(
        self, store: Store, budget: int, seconds: float | None, observer: Observer | None
    ) -> RunOutcome:
        executor = self.executor.instance
        limit = seconds or self.config.budget.time
        deadline = None if limit is None else time.monotonic() + limit
        trials = TrialCounts(store.trials())
        progress = Progress(trials.values(), self.config.budget, len(self.runner.objectives))
        if observer:
            observer.study_started(self, list(trials.values()), budget)
        running: set[int] = set()
        checkpoints = None
        if option_with(self.runner.fitter.provider.options, Role.STEPS) is not None:
            checkpoints = Checkpoints(self.directory / "trials", self.runner.ladder)
        if trials.finished >= budget:
            return RunOutcome(f"the budget of {budget} trials is reached", True)
        spec = WorkerSpec(self.file.raw, str(self.file.base), self.runner.threads, self.dataset.fingerprint)
        run_here = partial(self._run_here, observer)
        context = ExecutorContext(spec.to_json(), self.directory, self.runner.limits, run_here)
        if observer:
            context = replace(context, progress=observer.progress)
        outcome = RunOutcome(f"the budget of {budget} trials is reached", True)
        exhausted = False
        try:
            executor.start(context)
            while True:
                if (
                    came()
                ):  # the exception of Ctrl-C may have been lost in a destructor or a callback of a library
                    raise KeyboardInterrupt
                halted = self._halt(progress, deadline)
                if halted is None and not exhausted:
                    free = executor.capacity - len(running)
                    for trial in self.next_trials.next(store, trials, budget, free):
                        if trial.state is TrialState.WAITING:
                            trials.put(store.start(trial.number))
                        running.add(trial.number)
                        executor.submit(self._task(trial, trials))
                        if observer:
                            observer.trial_started(trial)
                    exhausted = not running and trials.own < budget
                if not running:
                    if halted is not None:
                        outcome = halted
                    elif exhausted:
                        outcome = RunOutcome(f"the search is exhausted after {len(trials)} trials", True)
                    break
                try:
                    results = executor.collect(timeout=1.0)
                except StudyEndedError as end:
                    self._record(store, [end.result], observer)
                    raise
                for trial in self._record(store, results, observer):
                    running.discard(trial.number)
                    progress.add(trials.put(trial))
                if results and checkpoints is not None:
                    checkpoints.tidy(trials, budget)
        except (KeyboardInterrupt, Interrupt):
            executor.close(cancel=True)
            # All of them: the signal may have come between the start of a trial and our note of it.
            store.requeue()
            return _INTERRUPTED
        finally:
            executor.close(cancel=True)
        return outcome

    def _run_here(self, observer: Observer | None, task: TrialTask) -> TrialResult:
        if observer:
            self.runner.progress = partial(observer.progress, task.number)
        return run_trial(self.runner, task)

    def _task(self, trial: Trial, trials: TrialCounts) -> TrialTask:
        ladder, below = self.runner.ladder, trial.promoted_from
        goes_on = ladder is not None and ladder.continues and below is not None
        return TrialTask(
            trial.number,
            trial.values,
            str(self.trial_directory(trial.number)),
            self.config.seed,
            trial.fidelity,
            trial.inner_start,
            str(self.trial_directory(below)) if goes_on and below is not None else None,
            stop_bounds(self.config.stop_early, trials.values()),
        )

    def trial_directory(self, number: int) -> Path:
        """Folder of one trial."""
        return self.directory / "trials" / f"{number:06d}"

    def _record(self, store: Store, results: Sequence[TrialResult], observer: Observer | None) -> list[Trial]:
        if not results:
            return []
        trials = store.finish(*results)
        for trial in trials:
            self._notify("xpot_trial_finished", trial=trial, directory=self.trial_directory(trial.number))
            if observer:
                observer.trial_finished(trial)
        return trials

    def _halt(self, progress: Progress, deadline: float | None) -> RunOutcome | None:
        """Why no further trial may start, or None."""
        if self._stop.is_set():
            return RunOutcome("stopped on request", False)
        return progress.reason_to_stop(deadline)

    # -- helpers -------------------------------------------------------------------------------

    def _notify(self, hook: str, **facts: Any) -> None:
        """Tell all listeners; the registry contains those that fail, here a wrapper may."""
        try:
            getattr(self.registry.hook, hook)(**facts)
        except Exception:
            _logger.exception("a wrapper of %s failed", hook)

    @contextlib.contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Renew the lease from a thread: a fit in this process may take hours."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(lease.HEARTBEAT_SECONDS):
                with (
                    contextlib.suppress(XpotError),
                    contextlib.closing(Store(self.directory / STORE_NAME, make=False)) as s,
                ):
                    s.heartbeat()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(timeout=5.0)
