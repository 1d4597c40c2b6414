"""The ask/tell loop: history in, candidates out, trials through an executor, all of it stored."""

from __future__ import annotations

import contextlib
import logging
import platform
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import yaml

from xpot_core import __version__
from xpot_core.asking import Asker, starting_points
from xpot_core.config import StudyFile
from xpot_core.data import group_table, load_dataset
from xpot_core.errors import InputError, StudyChangedError, XpotError
from xpot_core.interfaces import Component, Executor, ExecutorContext, Optimizer
from xpot_core.lease import HEARTBEAT_SECONDS
from xpot_core.ledger import Ledger
from xpot_core.pipeline import TrialRunner, WorkerSpec
from xpot_core.prior import adopt_priors, extend_store, template_to_json
from xpot_core.registry import load_registry
from xpot_core.stopping import Progress
from xpot_core.store import STORE_NAME, Store, best_of
from xpot_core.trials import History, Trial, TrialResult, TrialState, TrialTask
from xpot_core.winner import finish

STUDY_NAME = "study.yaml"
_logger = logging.getLogger("xpot")


class Observer(Protocol):
    """Someone who watches a running study; the command line draws its progress from this."""

    def study_started(self, study: Study, trials: list[Trial], budget: int) -> None:
        """The loop begins; `trials` are those of the history."""

    def trial_started(self, trial: Trial) -> None:
        """A trial was handed to the executor."""

    def trial_finished(self, trial: Trial) -> None:
        """A trial stands in the store."""

    def message(self, text: str) -> None:
        """Something the user should read."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes
    ----------
    reason
        One sentence.
    complete
        The budget was reached or the search is exhausted.
    interrupted
        Ctrl-C or SIGTERM ended it.
    """

    reason: str
    complete: bool
    interrupted: bool = False


class _Interrupt(BaseException):
    """SIGTERM, as batch systems send it."""


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
            for key, blocks in (
                ("validate", self.config.validate_with),
                ("constraints", self.config.constraints),
            ):
                for block in blocks:
                    self._known("validator", next(iter(block)), key=key)
            # Names are checked before data are read: a typo is told in a second.
            for kind in ("fitter", "loss"):
                self._known(kind, self.config.name_of(kind))
            self.dataset = load_dataset(file)
            self.runner = TrialRunner(file, dataset=self.dataset, registry=self.registry)
            self.space = self.runner.space
            self.starts = starting_points(self.config.start_with, self.space)
        except InputError as error:
            raise file.located(error) from error
        self.asker = Asker(
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

    def _create(self, kind: Any) -> Component[Any]:
        name, options = next(iter(getattr(self.config, kind).items()))
        self._known(kind, name)
        return self.registry.create(kind, name, options)

    def _known(self, kind: Any, name: str, *, key: str | None = None) -> None:
        try:
            self.registry.provider(kind, name)
        except InputError as error:
            raise error.at(key=key or kind) from error

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
        if restart and self.directory.exists():
            self._move_aside()
        self.directory.mkdir(parents=True, exist_ok=True)
        store = Store(self.directory / STORE_NAME)
        store.acquire()
        try:
            with self._heartbeat(), _sigterm_interrupts():
                self._claim(store, extend, observer)
                outcome = self._loop(store, trials or self.config.budget.trials, seconds, observer)
                best = best_of(store.trials())
                if best is not None and not outcome.interrupted:
                    best = finish(self.runner, store, self.directory, observer)
                self._notify("xpot_study_finished", best=best, directory=self.directory)
            return outcome
        finally:
            with contextlib.suppress(XpotError):
                store.release()
            store.close()

    def stop(self) -> None:
        """Ask a running loop to end after the trials at work (from another thread)."""
        self._stop.set()

    def _move_aside(self) -> None:
        with contextlib.closing(Store(self.directory / STORE_NAME)) as store:
            store.acquire()
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        target = self.directory.with_name(f"{self.directory.name}.old-{stamp}")
        shutil.move(self.directory, target)

    def identity(self) -> dict[str, Any]:
        """What trials of one study must share to be comparable."""
        raw = self.file.raw
        return {
            "data": self.dataset.fingerprint,
            "fitter": self.config.fitter,
            "loss": self.config.loss,
            "predictor": raw.get("predictor"),
            "seed": self.config.seed,
            "objectives": raw.get("objectives"),
            "search": raw.get("search"),
            "fidelity": raw.get("fidelity"),
            "tests": [[dict(block), binding] for block, binding in self.runner.tests] or None,
        }

    def _claim(self, store: Store, extend: bool, observer: Observer | None) -> None:
        """Check that the store belongs to this study, or make it so."""
        identity = self.identity()
        known = store.get("identity")
        if known is not None:
            for part, value in identity.items():
                if part == "fitter" and extend and known.get(part) != value:
                    self._tell(extend_store(store, self.runner, identity, self.directory), observer)
                elif known.get(part) != value:
                    raise self._changed(part, known.get(part), value)
        else:
            store.set("identity", identity)
            store.set("created", time.time())
        requeued = store.requeue()
        if requeued:
            _logger.info("%d interrupted trials are run again", requeued)
        data = self.dataset.data
        store.set("study", dict(self.file.raw))
        store.set("base", str(self.file.base))
        store.set("space", self.space.describe())
        store.set("template", template_to_json(self.space.template))
        self._tell(adopt_priors(store, self.runner, self.file, self.directory), observer)
        store.set("versions", self.versions())
        sets = {
            "train": data.training().frames,
            "validation": data.evaluation().frames,
            "test": self.dataset.test,
        }
        store.set("data", {name: group_table(frames) for name, frames in sets.items()})
        store.set("warnings", list(self.dataset.warnings))
        text = yaml.safe_dump(dict(self.file.raw), sort_keys=False, allow_unicode=True)
        header = f"# As run; relative paths start from {self.file.base}\n"
        (self.directory / STUDY_NAME).write_text(header + text, encoding="utf-8")
        self._notify("xpot_study_started", study=dict(self.file.raw), directory=self.directory)

    def _changed(self, part: str, old: Any, new: Any) -> StudyChangedError:
        key, before, after = _first_difference(part, old, new)
        what = "the data differ" if part == "data" else f"was {before!r}, now is {after!r}"
        error = StudyChangedError(
            f"the study in {self.directory} was started differently: {what}",
            key=key,
            remedy="undo the change, give the study another name, start it anew with --restart (the old one "
            "is kept beside it)"
            + (", or go on in the changed space with --extend" if part == "fitter" else ""),
        )
        located = self.file.located(error)
        assert isinstance(located, StudyChangedError)
        return located

    def history(self, trials: list[Trial]) -> History:
        """What the optimizer may know."""
        return self.asker.history(trials)

    def _loop(
        self, store: Store, budget: int, seconds: float | None, observer: Observer | None
    ) -> RunOutcome:
        executor = self.executor.instance
        limit = seconds or self.config.budget.time
        deadline = None if limit is None else time.monotonic() + limit
        trials = Ledger(store.trials())
        progress = Progress(trials.values(), self.config.budget, len(self.runner.objectives))
        if observer:
            observer.study_started(self, list(trials.values()), budget)
        running: set[int] = set()
        if trials.finished >= budget:
            return RunOutcome(f"the budget of {budget} trials is reached", True)
        spec = WorkerSpec(self.file.raw, str(self.file.base), 1, self.dataset.fingerprint)
        executor.start(ExecutorContext(spec.to_json(), self.directory, self.runner.limits))
        reason, complete = f"the budget of {budget} trials is reached", True
        exhausted = False
        try:
            while True:
                halted = self._halt(progress, deadline)
                if halted is None and not exhausted:
                    free = executor.capacity - len(running)
                    for trial in self.asker.next(store, trials, budget, free):
                        if trial.state is TrialState.WAITING:
                            trials.put(store.start(trial.number))
                        running.add(trial.number)
                        executor.submit(self._task(trial))
                        if observer:
                            observer.trial_started(trial)
                    exhausted = not running and trials.own < budget
                if not running:
                    if halted is not None:
                        reason, complete = halted
                    elif exhausted:
                        reason = f"the search is exhausted after {len(trials)} trials"
                    break
                for result in executor.collect(timeout=1.0):
                    running.discard(result.number)
                    progress.add(trials.put(self._record(store, result, observer)))
        except (KeyboardInterrupt, _Interrupt):
            executor.close(cancel=True)
            # All of them: the signal may have come between the start of a trial and our note of it.
            store.requeue()
            return RunOutcome("interrupted; the same command continues it", False, interrupted=True)
        finally:
            executor.close(cancel=True)
        return RunOutcome(reason, complete)

    def _task(self, trial: Trial) -> TrialTask:
        return TrialTask(
            trial.number,
            trial.values,
            str(self.trial_directory(trial.number)),
            self.config.seed,
            trial.fidelity,
            trial.extra.get("inner_start", {}),
        )

    def trial_directory(self, number: int) -> Path:
        """Folder of one trial."""
        return self.directory / "trials" / f"{number:06d}"

    def _record(self, store: Store, result: TrialResult, observer: Observer | None) -> Trial:
        trial = store.finish(result)
        directory = self.trial_directory(trial.number)
        self._notify("xpot_trial_finished", trial=trial, directory=directory)
        if observer:
            observer.trial_finished(trial)
        return trial

    def _halt(self, progress: Progress, deadline: float | None) -> tuple[str, bool] | None:
        """Why no further trial may start and whether that completes the search, or None."""
        if self._stop.is_set():
            return "stopped on request", False
        return progress.reason_to_stop(deadline)

    # -- helpers -------------------------------------------------------------------------------

    @staticmethod
    def _tell(sentences: list[str], observer: Observer | None) -> None:
        for sentence in sentences:
            _logger.info(sentence)
            if observer:
                observer.message(sentence)

    def _notify(self, hook: str, **facts: Any) -> None:
        """Tell listeners one by one; a failing one is logged and stops nobody."""
        for implementation in getattr(self.registry.hook, hook).get_hookimpls():
            try:
                arguments = {name: facts[name] for name in implementation.argnames if name in facts}
                implementation.function(**arguments)
            except Exception:
                _logger.exception("listener %s of plugin %s failed", hook, implementation.plugin_name)

    def versions(self) -> dict[str, str]:
        """Versions of Python, the core, the plugins in use and what they build on."""
        used = ["fitter", "optimizer", "executor", "loss"]
        providers = [self.registry.provider(k, self.config.name_of(k)) for k in used]  # type: ignore[arg-type]
        names = {"numpy", "scipy", "ase"} | {p for provider in providers for p in provider.packages}
        found = {"python": platform.python_version(), "xpot-core": __version__, **self.registry.versions()}
        distributions = metadata.packages_distributions()
        for name in sorted(names):
            for distribution in distributions.get(name, [])[:1]:
                found[distribution] = metadata.version(distribution)
        return found

    @contextlib.contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Renew the lease from a thread: a fit in this process may take hours."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(HEARTBEAT_SECONDS):
                with (
                    contextlib.suppress(XpotError),
                    contextlib.closing(Store(self.directory / STORE_NAME)) as s,
                ):
                    s.heartbeat()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(timeout=5.0)


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the loop as cleanly as Ctrl-C; only the main thread may set handlers."""

    def interrupt(signum: int, frame: Any) -> None:
        raise _Interrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _first_difference(key: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """Dotted key of the first difference between two trees."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            if old.get(name) != new.get(name):
                return _first_difference(f"{key}.{name}", old.get(name), new.get(name))
    return key, old, new
