"""Ends of trials that meet the end of something else: a worker, the scheduler, the study, another trial."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from dask_cases import PATIENCE, connected, one, processes, scheduler, until, worker, worker_pids
from xpot_dask.worker import TrialPlugin, WorkerClosing

import xpot_core.testing
from xpot_core.api import TrialState, XpotError
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import study_from_dict
from xpot_core.testing.contracts.executor import _FAULTY, _context, _task

FAULTY = str(Path(xpot_core.testing.__file__).with_name("faulty.py"))


def children() -> list[psutil.Process]:
    """Processes for trials that this one has started."""
    found = []
    for process in psutil.Process().children():
        try:
            if (
                "xpot_core.trial.worker_process" in process.cmdline()
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except psutil.Error:
            pass
    return found


def wait(done: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.01)


def in_a_thread(
    plugin: TrialPlugin, folder: Path, values: dict[str, Any]
) -> tuple[threading.Thread, list[Any]]:
    """Run a trial as dask does, and keep what it gives or raises."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(plugin.run(_task(0, values, folder)))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


@pytest.fixture
def plugin(folder: Path) -> Iterator[Callable[[], TrialPlugin]]:
    made: list[TrialPlugin] = []

    def make() -> TrialPlugin:
        context = _context(_FAULTY, folder)
        made.append(TrialPlugin("p", context.study, str(folder), context.limits))
        made[-1].setup(None)
        return made[-1]

    yield make
    for one_plugin in made:
        one_plugin.teardown(None)
    assert not children()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["teardown", "cancel"])
def test_trial_whose_worker_closes_is_given_back_and_not_failed(
    folder: Path, plugin: Callable[[], TrialPlugin], end: str
) -> None:
    """Its child dies by our own hand; the fit must not be blamed."""
    for _ in range(5):
        runner = plugin()
        log = folder / "trials/000000/fit.log"
        log.unlink(missing_ok=True)
        thread, outcome = in_a_thread(runner, folder, {"mode": "hang"})
        wait(log.is_file)
        runner.teardown(None) if end == "teardown" else runner.cancel(0)
        thread.join(PATIENCE)
        assert isinstance(outcome[0], WorkerClosing), outcome
        wait(lambda: not children())


@pytest.mark.slow
def test_worker_may_close_at_any_moment_of_a_trial(folder: Path, plugin: Callable[[], TrialPlugin]) -> None:
    """The trial is done or given back, and no child is left, not even one that was just being started."""
    rng = np.random.default_rng(0)
    for moment in [0.0, 0.0, 0.001, 0.002, 0.005, *rng.uniform(0.0, 1.5, 12)]:
        runner = plugin()
        thread, outcome = in_a_thread(runner, folder, {"seconds": 0.2})
        time.sleep(moment)
        runner.teardown(None)
        thread.join(PATIENCE)
        given_back = isinstance(outcome[0], WorkerClosing)
        assert given_back or outcome[0].state is TrialState.COMPLETE, outcome
        wait(lambda: not children())


@pytest.mark.slow
def test_ends_of_many_trials_are_fetched_together(folder: Path) -> None:
    with connected(folder, workers=4) as executor:
        for number in range(4):
            executor.submit(_task(number, {"mode": "exception" if number == 2 else "ok"}, folder))
        wait(lambda: executor._ended.qsize() == 4)
        results = {r.number: r.state for r in executor.collect(timeout=5.0)}
        assert results == dict.fromkeys((0, 1, 3), TrialState.COMPLETE) | {2: TrialState.FAILED}
        assert executor.collect(timeout=0.1) == []


@pytest.mark.slow
@pytest.mark.parametrize("others", [0, 1], ids=["alone", "among-others"])
def test_result_that_is_lost_with_its_worker_is_made_again(folder: Path, others: int) -> None:
    """The worker dies when the trial is over and its result still lies there; the second run takes its time."""
    with (
        processes(2) as cluster,
        connected(folder, address=cluster.scheduler_address, timeout=2.0) as executor,
    ):
        wait(lambda: executor._connected() == 2)
        for number in range(1 + others):
            executor.submit(_task(number, {"seconds": 4.0 * (1 - number)}, folder))
        wait(lambda: executor._ended.qsize() == 1 + others)
        os.kill(worker_pids(cluster)[executor._where[0]], signal.SIGKILL)
        results = until(executor, lambda: not executor._running)
        assert {r.number for r in results} == set(range(1 + others))
        assert {r.state for r in results} == {TrialState.COMPLETE}, [r.failure for r in results]
        assert executor._begun[0] == 2


@pytest.mark.slow
def test_scheduler_that_dies_before_a_result_is_fetched_costs_no_trial(folder: Path) -> None:
    with (
        scheduler(folder) as (process, address),
        worker(address),
        connected(folder, address=address, timeout=5.0) as executor,
    ):
        executor.submit(_task(0, {}, folder))
        wait(lambda: executor._ended.qsize() == 1)
        process.kill()
        with pytest.raises(XpotError, match="is gone"):
            one(executor)


@pytest.mark.slow
def test_frozen_worker_does_not_hold_up_the_end(folder: Path) -> None:
    with scheduler(folder) as (_, address), worker(address) as place:
        with connected(folder, address=address) as executor:
            executor.submit(_task(0, {"mode": "hang"}, folder))
            until(executor, lambda: executor._begun[0] == 1)
            place.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
        assert time.monotonic() - begin < 25.0


@pytest.mark.slow
def test_every_trial_of_a_study_ends_whatever_becomes_of_the_children(folder: Path) -> None:
    """Short trials, two at a time, studies one after the other, children killed at random moments."""
    rng = np.random.default_rng(1)
    for seed in range(3):
        raw = {
            "study": f"s{seed}",
            "seed": seed,
            "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
            "fitter": {"faulty": {"level": "tune", "seconds": {"min": 0.0, "max": 0.05}}},
            "optimizer": "random",
            "executor": {"dask": {"workers": 2}},
            "budget": {"trials": 80, "failures": 1000},
            "plugins": [FAULTY],
        }
        study = Study(study_from_dict(raw, folder), folder / "runs")
        done = threading.Event()

        def kill(done: threading.Event = done) -> None:
            while not done.wait(rng.uniform(0.0, 1.0)):
                for process in children()[:1]:
                    process.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            outcome = study.run()
        finally:
            done.set()
            killer.join()
        assert outcome.complete, outcome
        trials = StudyResults.open(study.directory).trials
        assert [t.number for t in trials] == list(range(80))
        assert all(t.state.finished for t in trials)
        lost = [t.failure for t in trials if t.failure]
        assert all("the worker process died: signal SIGKILL" in f.message and f.retryable for f in lost), lost
        wait(lambda: not children())
