"""Worker processes of the executor ``local``: warm, told together, and nothing left of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from xpot_core.api import LocalExecutor, LocalOptions
from xpot_core.system.logs import LOG_HEAD, LOG_TAIL
from xpot_core.system.processes import _members
from xpot_core.testing.contracts.executor import _FAULTY, _context, _task
from xpot_core.testing.frames import frames, write_frames
from xpot_core.types.fitting import Limits
from xpot_core.types.trials import TrialResult, TrialState

PATIENCE = 60.0
# A fitter that does what its option says.
SCRIPTED = """
import multiprocessing, os, signal, subprocess, sys, threading, time
from collections.abc import Iterable
from xpot_core.api import FitterProvider, OptionsModel, hookimpl, option
from xpot_core.testing.faulty import FORMAT, FaultyFitter, FaultyOptions

class Options(FaultyOptions):
    code: str = option("", "What the fit does first.")

class Fitter(FaultyFitter):
    def fit(self, request):
        exec(request.options.code, globals() | {"request": request})
        return super().fit(request)

@hookimpl
def xpot_register_fitters():
    return [FitterProvider("scripted", "does what it is told", __name__ + ":Fitter", Options, produces=(FORMAT,))]
"""
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


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[..., LocalExecutor]]:
    """An executor at work on one trial whose fit runs the code."""
    write_frames(tmp_path / "train.xyz", frames()[:6])
    (tmp_path / "scripted.py").write_text(SCRIPTED)
    executors: list[LocalExecutor] = []

    def begin(code: str, limits: Limits | None = None) -> LocalExecutor:
        context = _context({"scripted": {"level": "tune", "code": code}}, tmp_path, limits)
        context.study["study"]["plugins"].append(str(tmp_path / "scripted.py"))
        executors.append(LocalExecutor(LocalOptions(workers=1)))
        executors[-1].start(context)
        executors[-1].submit(replace(_task(0, {}, tmp_path), values={"level": 1.0}))
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


@pytest.mark.slow
def test_trials_that_end_together_are_told_together(
    start: Callable[[int], LocalExecutor], tmp_path: Path
) -> None:
    executor = start(3)
    for number in range(3):
        executor.submit(_task(number, {}, tmp_path))
    wait(lambda: executor._answers.qsize() == 6)  # each fit says how long it takes, and then its result
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


@pytest.mark.slow
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


FORKS = {
    "a pool": "pool = multiprocessing.get_context('fork').Pool(2); pool.map_async(time.sleep, [600] * 2);",
    "a fork": "(lambda pid: time.sleep(600) if pid == 0 else None)(os.fork());",
    "a daemon": "(lambda pid: (os.setsid(), signal.signal(15, signal.SIG_IGN), time.sleep(600)) if pid == 0 else None)"
    "(os.fork());",
    "a grandchild": "(lambda pid: (os.fork() or time.sleep(600), os._exit(0)) if pid == 0 else os.waitpid(pid, 0))"
    "(os.fork());",
    "a fork by a library": "import ctypes; ctypes.CDLL(None).fork() == 0 and time.sleep(600);",
}
DEATHS = {"SIGSEGV": "os.kill(os.getpid(), signal.SIGSEGV)", "exit status 0": "os._exit(0)"}


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("fork", FORKS)
def test_death_of_a_worker_that_forked_is_seen_at_once_and_nothing_is_left(
    scripted: Callable[..., LocalExecutor], fork: str, death: str
) -> None:
    executor = scripted(f"{FORKS[fork]} time.sleep(0.3); {DEATHS[death]}")
    (worker,) = executor._busy.values()
    begin = time.monotonic()
    result = one(executor)
    assert time.monotonic() - begin < 20.0
    assert result.state is TrialState.FAILED
    assert result.failure is not None
    assert death in result.failure.message
    assert not list(_members(worker._family))


@pytest.mark.parametrize(
    ("code", "words"),
    {
        "closes every file": ("os.closerange(3, 500); time.sleep(600)", "closed the pipe"),
        "ends itself while a thread goes on": (
            "threading.Thread(target=time.sleep, args=(600,)).start(); os.kill(os.getpid(), 9)",
            "SIGKILL",
        ),
    }.values(),
)
def test_trial_that_can_no_longer_answer_fails(
    scripted: Callable[..., LocalExecutor], code: str, words: str
) -> None:
    result = one(scripted(code))
    assert result.state is TrialState.FAILED
    assert result.failure is not None
    assert words in result.failure.message


def test_fork_that_comes_back_from_the_fit_does_not_answer(
    scripted: Callable[..., LocalExecutor], tmp_path: Path
) -> None:
    executor = scripted("os.fork()")
    assert one(executor).state is TrialState.COMPLETE
    for number in (1, 2):
        executor.submit(replace(_task(number, {}, tmp_path), values={"level": 1.0}))
        assert one(executor).number == number


def test_program_of_a_fit_reads_nothing_of_the_tasks(scripted: Callable[..., LocalExecutor]) -> None:
    code = (
        "subprocess.run([sys.executable, '-c', 'import sys; assert sys.stdin.read() == str()'], check=True); "
        "assert sys.stdin.read() == ''; "
        "open_ones = subprocess.run(['ls', '/proc/self/fd'], capture_output=True, text=True, close_fds=False).stdout;"
        # 0, 1, 2 and the folder that is listed
        "assert len(open_ones.split()) == 4 or sys.platform != 'linux', open_ones"
    )
    result = one(scripted(code))
    assert result.state is TrialState.COMPLETE, result.failure


def test_progress_of_a_fit_is_told_before_its_result(
    start: Callable[[int], LocalExecutor], tmp_path: Path
) -> None:
    executor, told = start(1), list[tuple[int, str]]()
    assert executor._context is not None
    context = replace(executor._context, progress=lambda number, text: told.append((number, text)))
    executor.start(context)
    executor.submit(_task(3, {"seconds": 0.5}, tmp_path))
    while not told:
        assert executor.collect(timeout=0.1) == []
    assert told == [(3, "0.5 s left")]
    (result,) = executor.collect(timeout=PATIENCE)
    assert result.state is TrialState.COMPLETE


def test_base_exception_in_a_fit_fails_the_trial_alone(
    scripted: Callable[..., LocalExecutor], tmp_path: Path
) -> None:
    executor = scripted("raise KeyboardInterrupt")
    (worker,) = executor._busy.values()
    result = one(executor)
    assert result.failure is not None
    assert "KeyboardInterrupt" in result.failure.message
    assert executor._idle == [worker], "the worker goes on"


def test_log_of_a_worker_is_bounded_and_keeps_the_last_words(scripted: Callable[..., LocalExecutor]) -> None:
    code = "[print('%08d' % i + 'x' * 991) for i in range(60_000)]; print('last words'); os.abort()"
    executor = scripted(code)
    (worker,) = executor._busy.values()
    result = one(executor)
    assert result.failure is not None
    assert result.failure.log_tail.rstrip().endswith("last words")
    assert LOG_HEAD < worker.log.stat().st_size <= LOG_HEAD + 2 * LOG_TAIL + 200


def test_limit_is_kept_while_the_coordinator_does_something_else(
    scripted: Callable[..., LocalExecutor],
) -> None:
    executor = scripted("time.sleep(600)", Limits(seconds=1.0))
    (worker,) = executor._busy.values()
    wait(lambda: worker.began)  # nobody collects meanwhile
    begin = time.monotonic()
    wait(lambda: worker.ended)
    assert time.monotonic() - begin < 3.0
    assert one(executor).state is TrialState.TIMEOUT


def test_worker_ends_with_its_coordinator_although_a_fork_holds_the_pipe(tmp_path: Path) -> None:
    write_frames(tmp_path / "train.xyz", frames()[:6])
    code = f"""
import os, sys, time
from pathlib import Path
from xpot_core.api import LocalExecutor, LocalOptions
from xpot_core.testing.contracts.executor import _FAULTY, _context, _task
folder = Path({str(tmp_path)!r})
executor = LocalExecutor(LocalOptions(workers=1))
executor.start(_context(_FAULTY, folder))
executor.submit(_task(0, {{"mode": "hang"}}, folder))
(worker,) = executor._busy.values()
while not worker.began:
    time.sleep(0.01)
child = os.fork()
if child:
    print(worker.process.pid, child, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as coordinator:
        assert coordinator.stdout is not None
        worker, fork = (psutil.Process(int(word)) for word in coordinator.stdout.readline().split())
        coordinator.kill()
        try:
            assert psutil.wait_procs([worker], timeout=10)[1] == [], "it computes for nobody"
        finally:
            fork.send_signal(signal.SIGKILL)
