"""One GPU for each worker of ``local``: what they are told, and who takes over."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from xpot_core.builtin.executors.gpus import VARIABLE
from xpot_core.builtin.executors.local import LocalExecutor
from xpot_core.builtin.executors.options import LocalOptions
from xpot_core.errors import InputError
from xpot_core.testing.contracts.executor import _FAULTY, _context, _task
from xpot_core.testing.frames import frames, write_frames
from xpot_core.types.trials import TrialState


def started(folder: Path, **options: int) -> LocalExecutor:
    write_frames(folder / "train.xyz", frames()[:6])
    executor = LocalExecutor(LocalOptions(**options))
    executor.start(_context(_FAULTY, folder))
    return executor


def environment_of(pid: int) -> dict[str, str]:
    """Environment of a worker; empty for a moment while the new process becomes the worker's program."""
    process = psutil.Process(pid)
    for _ in range(1000):
        if environment := process.environ():
            return environment
        time.sleep(0.01)
    raise AssertionError(f"worker {pid} has no environment")


def seen(executor: LocalExecutor) -> dict[int, str]:
    """Trial -> GPU that its worker sees."""
    return {number: environment_of(worker.process.pid)[VARIABLE] for number, worker in executor._busy.items()}


def test_each_worker_has_one_and_a_new_one_that_of_the_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "3,GPU-a1,7")
    executor = started(tmp_path, workers=4, gpus=2)
    try:
        assert executor.capacity == 2
        executor.submit(_task(0, {"mode": "hang"}, tmp_path))
        executor.submit(_task(1, {"mode": "hang"}, tmp_path))
        assert seen(executor) == {0: "3", 1: "GPU-a1"}
        os.kill(executor._busy[1].process.pid, signal.SIGKILL)
        (result,) = executor.collect()
        assert (result.number, result.state) == (1, TrialState.FAILED)
        executor.submit(_task(2, {"mode": "hang"}, tmp_path))
        assert seen(executor) == {0: "3", 2: "GPU-a1"}
    finally:
        executor.close(cancel=True)


def test_more_than_are_visible_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    with pytest.raises(InputError, match="only 1 are visible"):
        started(tmp_path, gpus=2)


def test_without_gpus_nothing_is_said_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "5,6")
    executor = started(tmp_path, workers=1)
    try:
        executor.submit(_task(0, {"mode": "hang"}, tmp_path))
        assert seen(executor) == {0: "5,6"}
    finally:
        executor.close(cancel=True)
