"""The ask/tell loop: history in, candidates out, trials through an executor, all of it stored."""

from __future__ import annotations

import contextlib
import logging
import platform
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import yaml

from xpot_core import __version__
from xpot_core.config import StudyFile
from xpot_core.data import group_table, load_dataset
from xpot_core.errors import InputError, StudyChangedError, XpotError, nearest
from xpot_core.interfaces import Component, Executor, ExecutorContext, Optimizer
from xpot_core.pipeline import TrialRunner, WorkerSpec
from xpot_core.registry import load_registry
from xpot_core.store import HEARTBEAT_SECONDS, STORE_NAME, Store, best_of
from xpot_core.trials import History, Trial, TrialResult, TrialState, TrialTask
from xpot_core.winner import refit_winner

STUDY_NAME = "study.yaml"
START = "start_with"
"""Stands for the optimizer in trials that the study file asked for."""
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
            for block in self.config.validate_with:
                self._known("validator", next(iter(block)), key="validate")
            # Names are checked before data are read: a typo is told in a second.
            for kind in ("fitter", "loss"):
                self._known(kind, self.config.name_of(kind))
            self.dataset = load_dataset(file)
            self.runner = TrialRunner(file, dataset=self.dataset, registry=self.registry)
        except InputError as error:
            raise file.located(error) from error
        self.space = self.runner.space
        self.starts = self._starts()
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

    def _starts(self) -> list[dict[str, Any]]:
        """The points of ``start_with``, complete and checked."""
        if not len(self.space):
            return []
        starts = []
        for i, entry in enumerate(self.config.start_with):
            given = {} if entry == "defaults" else dict(entry)
            for name, value in given.items():
                key = f"start_with.{i}.{name}"
                if name not in self.space.names:
                    error = InputError(
                        "no such hyperparameter", key=key, remedy=nearest(name, self.space.names)
                    )
                    raise self.file.located(error)
                if not self.space[name].contains(value):
                    error = InputError("lies outside the search space", key=key, value=value)
                    raise self.file.located(error)
            starts.append({**self.space.defaults(), **given})
        return starts

    # -- running -------------------------------------------------------------------------------

    def run(
        self,
        *,
        trials: int | None = None,
        seconds: float | None = None,
        observer: Observer | None = None,
        restart: bool = False,
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
                self._claim(store)
                outcome = self._loop(store, trials or self.config.budget.trials, seconds, observer)
                best = best_of(store.trials())
                if best is not None and not outcome.interrupted:
                    refit_winner(self.runner, store, best, self.directory, observer)
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
        }

    def _claim(self, store: Store) -> None:
        """Check that the store belongs to this study, or make it so."""
        identity = self.identity()
        known = store.get("identity")
        if known is not None:
            for part, value in identity.items():
                if known.get(part) != value:
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
            remedy="undo the change, give the study another name, or start it anew with --restart "
            "(the old one is kept beside it)",
        )
        located = self.file.located(error)
        assert isinstance(located, StudyChangedError)
        return located

    def history(self, trials: list[Trial]) -> History:
        """What the optimizer may know."""
        # Starting points count as given from outside: a Sobol sequence or a grid begins after them.
        known = tuple(replace(t, from_prior=True) if t.optimizer == START else t for t in trials)
        return History(self.space, known, self.config.seed)

    def _loop(
        self, store: Store, budget: int, seconds: float | None, observer: Observer | None
    ) -> RunOutcome:
        executor = self.executor.instance
        limit = seconds or self.config.budget.time
        deadline = None if limit is None else time.monotonic() + limit
        trials = {t.number: t for t in store.trials()}
        if observer:
            observer.study_started(self, list(trials.values()), budget)
        running: set[int] = set()
        if sum(t.state.finished for t in trials.values()) >= budget:
            return RunOutcome(f"the budget of {budget} trials is reached", True)
        spec = WorkerSpec(self.file.raw, str(self.file.base), 1, self.dataset.fingerprint)
        executor.start(ExecutorContext(spec.to_json(), self.directory, self.runner.limits))
        reason, complete = f"the budget of {budget} trials is reached", True
        exhausted = False
        try:
            while True:
                halted = self._halt(list(trials.values()), deadline)
                if halted is None and not exhausted:
                    for trial in self._next(store, trials, budget, executor.capacity - len(running)):
                        trials[trial.number] = store.start(trial.number)
                        running.add(trial.number)
                        executor.submit(self._task(trial))
                        if observer:
                            observer.trial_started(trial)
                    exhausted = not running and len(trials) < budget
                if not running:
                    if halted is not None:
                        reason, complete = halted, False
                    elif exhausted:
                        reason = f"the search is exhausted after {len(trials)} trials"
                    break
                for result in executor.collect(timeout=1.0):
                    running.discard(result.number)
                    trials[result.number] = self._record(store, result, observer)
        except (KeyboardInterrupt, _Interrupt):
            executor.close(cancel=True)
            store.requeue(sorted(running))
            return RunOutcome("interrupted; the same command continues it", False, interrupted=True)
        finally:
            executor.close(cancel=True)
        return RunOutcome(reason, complete)

    def _next(self, store: Store, trials: dict[int, Trial], budget: int, free: int) -> list[Trial]:
        """Interrupted trials first, then new proposals."""
        if free <= 0:
            return []
        waiting = [t for t in trials.values() if t.state is TrialState.WAITING][:free]
        wanted = min(free - len(waiting), budget - len(trials))
        if wanted <= 0:
            return waiting
        first = self.starts[len(trials) : len(trials) + wanted]
        if first:
            new = store.add(first, START)
            trials.update({t.number: t for t in new})
            return [*waiting, *new]
        history = self.history(sorted(trials.values(), key=lambda t: t.number))
        candidates = self.registry.hook.xpot_suggest(optimizer=self.optimizer, history=history, n=wanted)
        for candidate in candidates[:wanted]:
            if set(candidate.values) != set(self.space.names):
                raise XpotError(
                    f"optimizer '{self.optimizer.name}' proposed values for other hyperparameters",
                    remedy="report this to the author of the optimizer plugin",
                )
        new = store.add([c.values for c in candidates[:wanted]], self.optimizer.name)
        trials.update({t.number: t for t in new})
        return [*waiting, *new]

    def _task(self, trial: Trial) -> TrialTask:
        return TrialTask(
            trial.number, trial.values, str(self.trial_directory(trial.number)), self.config.seed
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

    def _halt(self, trials: list[Trial], deadline: float | None) -> str | None:
        """Why no further trial may start, or None."""
        if self._stop.is_set():
            return "stopped on request"
        if deadline is not None and time.monotonic() >= deadline:
            return "the time is up"
        finished = sorted((t for t in trials if t.state.finished), key=lambda t: t.finished or 0.0)
        alike = 0
        last: str | None = None
        for trial in reversed(finished):
            if trial.failure is None:
                break
            # Numbers differ from trial to trial ("needs 3.4 GB"); the rest names the fault.
            kind = re.sub(r"[-+0-9.e]+", "#", f"{trial.failure.stage}: {trial.failure.message}")
            if last is not None and kind != last:
                break
            last, alike = kind, alike + 1
        if alike >= self.config.budget.failures:
            failure = finished[-1].failure
            assert failure is not None
            hint = f" ({failure.hint})" if failure.hint else ""
            return (
                f"the last {alike} trials failed alike in stage '{failure.stage}' of {failure.plugin}: "
                f"{failure.message}{hint}"
            )
        return None

    # -- helpers -------------------------------------------------------------------------------

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
