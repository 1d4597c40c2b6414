"""Ends of the command: Ctrl-C at any moment, and fits that try to end the process or to keep it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from study_cases import FAULTY

from xpot_core.results.read import StudyResults
from xpot_core.types.trials import TrialState

Start = Callable[..., "subprocess.Popen[str]"]
# A fitter that does what a file beside the study says, for the trial that it names.
PLUGIN = """
import _thread, ctypes, multiprocessing, os, signal, sys, threading, time
from pathlib import Path
from xpot_core.api import hookimpl

@hookimpl(wrapper=True)
def xpot_fit(fitter, request):
    number, code = Path(__file__).with_name("deed").read_text().split(" ", 1)
    if request.directory.name.endswith(number) or (request.final and number == "final"):
        exec(code)
    return (yield)
"""


# The script ``xpot``, telling when Python's own start, which knows its own way to be interrupted, is over.
SCRIPT = "import os; os.write(1, b'began\\n'); from xpot_core.cli import main; main()"


@pytest.fixture
def start(study: Any, folder: Path) -> Iterator[Start]:
    """Begin ``xpot run`` on a study of the fitter that fails on demand; what is left of it in the end is killed."""
    begun: list[subprocess.Popen[str]] = []

    def begin(executor: Any = "serial", *, deed: str = "none pass", trials: int = 3) -> subprocess.Popen[str]:
        (folder / "deed").write_text(deed)
        (folder / "deeds.py").write_text(PLUGIN)
        path = study(
            {
                "study": "argon",
                "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
                "fitter": {"faulty": {"level": "tune", "seconds": 0.01}},
                "executor": executor,
                "budget": {"trials": trials},
                "plugins": [str(FAULTY), "deeds.py"],
            }
        )
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "run", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            # where the tests themselves run in the background, Ctrl-C is ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def states(folder: Path) -> list[TrialState]:
    return [t.state for t in StudyResults.open(folder / "runs/argon").trials]


# -- Ctrl-C -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["serial", {"local": {"workers": 2}}], ids=["serial", "local"])
@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 1.6, 2.0])
def test_ctrl_c_ends_the_command_quietly_at_any_moment(start: Start, executor: Any, moment: float) -> None:
    interrupted(start(executor, trials=100_000), moment)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", {"local": {"workers": 2}}], ids=["serial", "local"])
def test_ctrl_c_at_many_moments(start: Start, executor: Any) -> None:
    for moment in np.random.default_rng(0).uniform(0.0, 2.0, 60):
        interrupted(start(executor, trials=100_000), float(moment))


def interrupted(process: subprocess.Popen[str], moment: float) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    time.sleep(moment + 0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1, (process.returncode, out)
    assert "interrupted" in out
    assert "Traceback" not in out
    assert "KeyboardInterrupt" not in out
    assert not psutil.wait_procs(workers, timeout=5)[1], "workers go on"


def test_ctrl_c_that_a_library_makes_another_error_of_is_ctrl_c(start: Start, folder: Path) -> None:
    """As numpy does with whatever comes while it is imported."""
    deed = "try: os.kill(os.getpid(), 2); time.sleep(9)\nexcept BaseException: raise ImportError('not importable')"
    process = start(deed=f"000001 {deed}")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in out
    assert states(folder) == [TrialState.COMPLETE, TrialState.WAITING]


def test_ctrl_c_in_a_destructor_is_not_lost(start: Start, folder: Path) -> None:
    deed = "type('Thing', (), {'__del__': lambda self: (os.kill(os.getpid(), 2), time.sleep(0.1))})(); time.sleep(9)"
    process = start(deed=f"000001 {deed}")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in out
    assert "Traceback" not in out
    assert states(folder) == [TrialState.COMPLETE, TrialState.WAITING]


# -- fits that end the process, or keep it ----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("os._exit(0)", "os._exit(0)"),
        ("raise GeneratorExit('stop')", "GeneratorExit"),
        (
            "raise type('PanicException', (BaseException,), {})('of a library')",
            "PanicException: of a library",
        ),
    ],
)
def test_fit_that_ends_the_process_ends_the_study_in_words(
    start: Start, folder: Path, deed: str, words: str
) -> None:
    process = start(deed=f"000001 {deed}")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "trial 1 ended the study" in out
    assert words in out
    assert "Traceback" not in out
    assert states(folder) == [TrialState.COMPLETE, TrialState.FAILED]
    # The next run goes on behind it, and does not fall into the same hole.
    again = start(deed=f"000001 {deed}")
    out, _ = again.communicate(timeout=60)
    assert again.returncode == 0, out
    assert states(folder) == [TrialState.COMPLETE, TrialState.FAILED, TrialState.COMPLETE]


def test_last_trial_that_ends_the_process_is_not_overlooked(start: Start) -> None:
    process = start(deed="000002 os._exit(0)")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "trial 2 ended the study" in out


@pytest.mark.slow
def test_refit_that_ends_the_process_is_told(start: Start) -> None:
    process = start({"local": {"workers": 1}}, deed="final os._exit(0)", trials=1)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "os._exit(0)" in out


def test_exit_in_a_thread_of_a_fit_is_told(start: Start) -> None:
    process = start(
        deed="000001 threading.Thread(target=os._exit, args=(0,), name='mine').start(); time.sleep(9)"
    )
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "thread 'mine' of a plugin called os._exit(0)" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("threading.Thread(target=time.sleep, args=(600,), name='stray').start()", "threads 'stray'"),
        (
            "multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,)).start()",
            "1 processes",
        ),
    ],
)
def test_thread_or_process_that_a_fit_left_does_not_keep_the_command(
    start: Start, folder: Path, deed: str, words: str
) -> None:
    begin = time.monotonic()
    process = start(deed=f"000001 {deed}")
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - begin < 40
    assert process.returncode == 1, out
    assert words in out
    assert states(folder) == [TrialState.COMPLETE] * 3, "what was computed is stored"


def test_error_in_a_thread_of_a_fit_is_told_in_a_line(start: Start) -> None:
    process = start(deed="000001 threading.Thread(target=lambda: 1 / 0, name='mine').start()")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "thread 'mine' of a plugin ended by ZeroDivisionError" in out
    assert "Traceback" not in out


def test_forks_of_a_fit_may_end_as_they_like(start: Start, folder: Path) -> None:
    process = start(deed="000001 pid = os.fork() or os._exit(0); assert os.waitpid(pid, 0)[1] == 0")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert states(folder) == [TrialState.COMPLETE] * 3


@pytest.mark.slow
def test_crash_is_told_by_the_next_run(start: Start) -> None:
    process = start(deed="000001 os.kill(os.getpid(), signal.SIGSEGV)")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGSEGV
    again = start()
    out, _ = again.communicate(timeout=60)
    assert again.returncode == 0, out
    assert "1 trials were at work when the process of the study ended without a word" in out
    assert "--workers 1" in out
