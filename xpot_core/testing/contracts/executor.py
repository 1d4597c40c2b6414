"""The contract of executors: every task gives one result, whatever becomes of the fit.

Examples
--------
::

    from xpot_core.testing import ExecutorContract

    class TestMine(ExecutorContract):
        provider = "mine"
        options = {"workers": 2}
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from xpot_core.plugins.interfaces import Executor, ExecutorContext
from xpot_core.testing.contracts.contract import Contract, NotApplicable, scratch
from xpot_core.testing.frames import frames, write_frames
from xpot_core.trial.one_trial import run_trial
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.fitting import Limits
from xpot_core.types.trials import TrialResult, TrialState, TrialTask, WorkerSpec

_PATIENCE = 120.0
_OWNER_VARIABLE = "XPOT_CONTRACT_OF"
"""Everything that these rules start carries it: rules that run elsewhere on the machine have their own."""


class ExecutorContract(Contract):
    """Rules of executors, shown on studies with the fitters ``numpy-pair`` and ``faulty``.

    Attributes
    ----------
    options
        Options of the executor; two workers where it has several.
    isolated
        False for an executor that runs fits in the study's own process: a crash of the fit then is
        its end.
    """

    kind: ClassVar[Any] = "executor"
    options: ClassVar[dict[str, Any]] = {}
    isolated: ClassVar[bool] = True

    def test_every_task_gives_one_result(self) -> None:
        """In any order, each once, more tasks than places."""
        tasks = [{"level": 0.1 * i} for i in range(7)]
        with self._running(_FAULTY) as (executor, folder):
            results = _run(executor, folder, tasks)
        assert sorted(r.number for r in results) == list(range(7))
        assert all(r.state is TrialState.COMPLETE for r in results), [r.failure for r in results]

    def test_results_are_those_of_the_serial_executor(self) -> None:
        """Where a trial runs makes no difference to its loss."""
        from xpot_core.builtin.executors.options import SerialOptions
        from xpot_core.builtin.executors.serial import SerialExecutor

        tasks = [{"cutoff": 4.0 + 0.3 * i} for i in range(4)]
        with self._running(_PAIR) as (executor, folder):
            mine = {r.number: r for r in _run(executor, folder, tasks)}
            serial = SerialExecutor(SerialOptions())
            serial.start(_context(_PAIR, folder))
            for result in _run(serial, folder / "serial", tasks):
                other = mine[result.number]
                assert other.loss == result.loss
                assert other.errors == result.errors

    def test_results_can_be_stored(self) -> None:
        """They are plain data."""
        with self._running(_FAULTY) as (executor, folder):
            for result in _run(executor, folder, [{"level": 1.0}, {"mode": "exception"}]):
                text = json.dumps(result.to_json())
                assert json.dumps(TrialResult.from_json(json.loads(text)).to_json()) == text

    def test_failures_are_results(self) -> None:
        """An exception, a NaN, a refusal and a `sys.exit` in the fit fail the trial and nothing else."""
        expected = {
            "exception": TrialState.FAILED,
            "fit-error": TrialState.FAILED,
            "nan": TrialState.FAILED,
            "exit": TrialState.FAILED,
            "infeasible": TrialState.INFEASIBLE,
            "ok": TrialState.COMPLETE,
        }
        if self.isolated:
            expected["base-exception"] = TrialState.FAILED
        with self._running(_FAULTY) as (executor, folder):
            results = _run(executor, folder, [{"mode": mode} for mode in expected])
        states = {mode: next(r.state for r in results if r.number == i) for i, mode in enumerate(expected)}
        assert states == expected
        for result in results:
            assert (result.failure is None) == (result.state is TrialState.COMPLETE)
            assert result.failure is None or (result.failure.message and result.failure.plugin)

    def test_crash_of_the_fit_is_a_result(self) -> None:
        """`abort`, as MPI programs call it, ends one trial; the next ones run."""
        self._needs_isolation()
        with self._running(_FAULTY) as (executor, folder):
            results = _run(executor, folder, [{"mode": "abort"}, {}, {"mode": "abort"}, {}])
        states = [r.state for r in sorted(results, key=lambda r: r.number)]
        assert states == [TrialState.FAILED, TrialState.COMPLETE] * 2

    def test_crash_of_a_fit_that_forked_is_a_result(self) -> None:
        """Neither forks that hold the pipes nor a program that left its session keep a dead fit alive."""
        self._needs_isolation()
        modes = ["pool-crash", "ok", "orphan", "fork", "ok"]
        with self._running(_FAULTY) as (executor, folder):
            results = _run(executor, folder, [{"mode": mode} for mode in modes])
            self._nobody_is_left()
        states = {modes[r.number]: r.state for r in results}
        assert states == {
            "pool-crash": TrialState.FAILED,
            "orphan": TrialState.FAILED,
            "fork": TrialState.COMPLETE,
            "ok": TrialState.COMPLETE,
        }

    def test_limits_are_kept_beside_quick_trials(self) -> None:
        """A trial over its time is ended although others come and go without a pause."""
        self._needs_isolation()
        limit, late = 2.0, 4.0
        with self._running(_FAULTY, Limits(seconds=limit)) as (executor, folder):
            if executor.capacity < 2:
                raise NotApplicable("one place only")
            _run(executor, folder, [{}] * executor.capacity)  # starts the workers
            executor.submit(_task(100, {"mode": "hang"}, folder))
            executor.submit(_task(101, {}, folder))
            begin, quick = time.monotonic(), 0
            while True:
                results = executor.collect(timeout=1.0)
                taken = time.monotonic() - begin
                assert taken < limit + late, f"not ended after {taken:.1f} s beside {quick} quick trials"
                if any(r.number == 100 for r in results):
                    break
                for _ in results:
                    quick += 1
                    executor.submit(_task(101 + quick, {}, folder))
        assert {r.state for r in results if r.number == 100} == {TrialState.TIMEOUT}
        assert quick >= 10, "too few of them to show anything"

    def test_trials_over_the_time_limit_are_ended(self) -> None:
        """A hanging fit and the programs that it started become TIMEOUT; the next trial runs."""
        self._needs_isolation()
        with self._running(_FAULTY, Limits(seconds=8.0)) as (executor, folder):
            begin = time.monotonic()
            results = _run(executor, folder, [{"mode": "hang"}, {"mode": "child"}, {}])
            taken = time.monotonic() - begin
        states = [r.state for r in sorted(results, key=lambda r: r.number)]
        assert states == [TrialState.TIMEOUT, TrialState.TIMEOUT, TrialState.COMPLETE]
        assert taken < 100, f"{taken:.0f} s for limits of 8 s"
        self._nobody_is_left()

    def test_trials_over_the_memory_limit_are_ended(self) -> None:
        """They are INFEASIBLE: a constraint was violated, nothing is broken."""
        self._needs_isolation()
        with self._running(_FAULTY, Limits(memory_bytes=500_000_000)) as (executor, folder):
            results = _run(executor, folder, [{"mode": "memory"}, {}])
        states = [r.state for r in sorted(results, key=lambda r: r.number)]
        assert states == [TrialState.INFEASIBLE, TrialState.COMPLETE]

    def test_trials_run_at_once(self) -> None:
        """As many as the capacity says."""
        self._needs_isolation()
        with self._running(_FAULTY) as (executor, folder):
            n = executor.capacity
            if n < 2:
                raise NotApplicable("one place only")
            _run(executor, folder, [{}] * n)  # starts the workers
            begin = time.monotonic()
            _run(executor, folder, [{"seconds": 1.5}] * n)
            taken = time.monotonic() - begin
        assert taken < 1.5 * n - 0.5, f"{n} trials of 1.5 s took {taken:.1f} s"

    def test_collect_waits_no_longer_than_asked(self) -> None:
        """It returns at once without tasks, and after the timeout while trials go on."""
        with self._running(_FAULTY) as (executor, folder):
            begin = time.monotonic()
            assert executor.collect(timeout=0.2) == []
            assert time.monotonic() - begin < 5.0
            if self.isolated:
                executor.submit(_task(0, {"mode": "hang"}, folder))
                assert executor.collect(timeout=0.5) == []
                assert time.monotonic() - begin < 15.0

    def test_cancel_leaves_nobody_behind(self) -> None:
        """Closing with trials at work ends them and the programs that they started."""
        self._needs_isolation()
        with self._running(_FAULTY) as (executor, folder):
            for number, mode in enumerate(("hang", "child", "hang")):
                executor.submit(_task(number, {"mode": mode}, folder))
            executor.collect(timeout=3.0)
            begin = time.monotonic()
            executor.close(cancel=True)
            assert time.monotonic() - begin < 15.0
            self._nobody_is_left()

    def test_close_may_come_at_any_time(self) -> None:
        """Before the start, twice, after work; the capacity is known throughout."""
        executor: Executor = self._create()
        assert executor.capacity >= 1
        executor.close()
        with self._running(_FAULTY) as (executor, folder):
            _run(executor, folder, [{}])
            executor.close()
            executor.close(cancel=True)

    # What the rules are made of

    def _create(self) -> Executor:
        executor: Executor = self.registry.create("executor", self.provider, dict(self.options)).instance
        return executor

    @contextlib.contextmanager
    def _running(
        self, fitter: dict[str, Any], limits: Limits | None = None
    ) -> Iterator[tuple[Executor, Path]]:
        with scratch() as folder:
            write_frames(folder / "train.xyz", frames()[:6])
            os.environ[_OWNER_VARIABLE] = str(os.getpid())
            executor = self._create()
            executor.start(_context(fitter, folder, limits))
            try:
                yield executor, folder
            finally:
                executor.close(cancel=True)

    def _needs_isolation(self) -> None:
        if not self.isolated:
            raise NotApplicable("fits run in the study's own process")

    @staticmethod
    def _nobody_is_left() -> None:
        import psutil

        deadline = time.monotonic() + 5.0
        while True:
            sleepers = []
            for process in psutil.process_iter(["cmdline"]):
                with contextlib.suppress(psutil.Error):
                    command = " ".join(process.info["cmdline"] or [])
                    if process.environ().get(_OWNER_VARIABLE) != str(os.getpid()):
                        continue
                    # A fork of a worker carries its command; one without a parent has no business any more.
                    orphan = process.ppid() == 1
                    if "time.sleep(3600)" in command or (
                        orphan and "xpot_core.trial.worker_process" in command
                    ):
                        sleepers.append(process.pid)
            if not sleepers:
                return
            assert time.monotonic() < deadline, f"processes {sleepers} of the fit are still there"
            time.sleep(0.2)


_MODES = ["ok", "exception", "fit-error", "infeasible", "nan", "exit", "abort", "hang", "memory", "child"]
_MODES += ["pool-crash", "orphan", "fork", "os-exit", "base-exception", "print"]
_FAULTY: dict[str, Any] = {
    "faulty": {
        "level": "tune",
        "mode": {"choices": _MODES},
        "seconds": {"min": 0.0, "max": 10.0},
        "megabytes": 2000,
    }
}
_PAIR: dict[str, Any] = {"numpy-pair": {"cutoff": "tune", "widths": [0.5], "n_basis": 4}}
_DEFAULTS = {"level": 1.0, "mode": "ok", "seconds": 0.0}


def _context(fitter: dict[str, Any], folder: Path, limits: Limits | None = None) -> ExecutorContext:
    study: dict[str, Any] = {
        "study": "contract",
        "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
        "fitter": fitter,
        "plugins": [str(Path(__file__).parents[1] / "faulty.py")],
    }
    limits = limits or Limits()
    if limits.seconds or limits.memory_bytes:
        study["limits"] = {"time": limits.seconds, "memory": limits.memory_bytes}
    spec = WorkerSpec(study, str(folder))
    runner = cache(lambda: TrialRunner.from_spec(spec))  # data are read where trials run in this process
    return ExecutorContext(spec.to_json(), folder, limits, lambda task: run_trial(runner(), task))


def _task(number: int, values: dict[str, Any], folder: Path) -> TrialTask:
    complete = values if "cutoff" in values else {**_DEFAULTS, **values}
    return TrialTask(number, complete, str(folder / "trials" / f"{number:06d}"), 0)


def _run(executor: Executor, folder: Path, tasks: Sequence[dict[str, Any]]) -> list[TrialResult]:
    """Submit as a study does, never more than the capacity at once, and collect all."""
    waiting = [_task(number, values, folder) for number, values in enumerate(tasks)]
    results: list[TrialResult] = []
    at_work = 0
    deadline = time.monotonic() + _PATIENCE
    while waiting or at_work:
        while waiting and at_work < executor.capacity:
            executor.submit(waiting.pop(0))
            at_work += 1
        found = executor.collect(timeout=1.0)
        results += found
        at_work -= len(found)
        assert time.monotonic() < deadline, f"{len(results)} of {len(tasks)} results after {_PATIENCE:.0f} s"
    return results
