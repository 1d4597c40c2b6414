"""Worker processes of the executor ``local``: warm, told together, and nothing left of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from xpot_core.api import LocalExecutor, LocalOptions
from xpot_core.testing.executor import _FAULTY, _context, _task
from xpot_core.testing.frames import frames, write_frames
from xpot_core.trials import TrialResult, TrialState

PATIENCE = 60.0
START_SECONDS = 0.05
"""What a trial may wait in a warm worker before it begins, and its result until it is told."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int], LocalExecutor]]:
    write_frames(tmp_path / "train.xyz", frames()[:6])
    executors: list[LocalExecutor] = []

    def begin(workers: int) -> LocalExecutor:
        executors.append(LocalExecutor(LocalOptions(workers=workers)))
        executors[-1].start(_context(_FAULTY, tmp_path))
        return executors[-1]

    yield begin
    for executor in executors:
        executor.close(cancel=True)


def wait(done: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := done()):
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.01)
    return found


def one(executor: LocalExecutor) -> TrialResult:
    (result,) = executor.collect(timeout=PATIENCE)
    return result


def sleeper() -> psutil.Process | None:
    """The program that a fit in the mode ``child`` starts."""
    for process in psutil.Process().children(recursive=True):
        try:
            if "time.sleep(3600)" in " ".join(process.cmdline()):
                return process
        except psutil.Error:
            pass
    return None


def test_warm_worker_begins_a_trial_at_once(start: Callable[[int], LocalExecutor], tmp_path: Path) -> None:
    executor = start(1)
    waits = []
    for number in range(24):
        begin = time.perf_counter()
        executor.submit(_task(number, {"seconds": 0.01}, tmp_path))
        result = one(executor)
        assert result.state is TrialState.COMPLETE
        waits.append(time.perf_counter() - begin - result.seconds["total"])
    assert waits[0] > waits[-1], "the first one starts the process and reads the data"
    # A busy machine makes some of them wait; a worker that were started anew would make all of them wait.
    assert np.percentile(waits[4:], 25) < START_SECONDS, waits


def test_trials_that_end_together_are_told_together(
    start: Callable[[int], LocalExecutor], tmp_path: Path
) -> None:
    executor = start(3)
    for number in range(3):
        executor.submit(_task(number, {}, tmp_path))
    wait(lambda: executor._answers.qsize() == 6)  # each begins and ends
    assert {r.number for r in executor.collect(timeout=1.0)} == {0, 1, 2}
    assert executor.collect(timeout=0.1) == []


def test_worker_that_was_killed_while_it_was_idle_fails_no_trial(
    start: Callable[[int], LocalExecutor], tmp_path: Path
) -> None:
    executor = start(1)
    executor.submit(_task(0, {}, tmp_path))
    assert one(executor).state is TrialState.COMPLETE
    (worker,) = executor._idle
    worker.process.kill()
    executor.submit(_task(1, {}, tmp_path))
    assert one(executor).state is TrialState.COMPLETE


def test_program_of_a_fit_ends_with_its_killed_worker(
    start: Callable[[int], LocalExecutor], tmp_path: Path
) -> None:
    executor = start(1)
    executor.submit(_task(0, {"mode": "child"}, tmp_path))
    program = wait(sleeper)
    program.parent().kill()
    result = one(executor)
    assert result.state is TrialState.FAILED
    assert result.failure is not None
    assert result.failure.retryable
    assert psutil.wait_procs([program], timeout=10)[1] == [], "the program goes on for nobody"
    executor.submit(_task(1, {}, tmp_path))
    assert one(executor).state is TrialState.COMPLETE
