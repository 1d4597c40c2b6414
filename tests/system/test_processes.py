"""Programs that plugins start, and libraries that they load by hand."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from xpot_core.system.processes import child_process
from xpot_core.system.shared_libraries import preload

SLEEPS = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"


def test_child_works_in_its_folder_and_its_output_is_appended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "import os; print(os.path.basename(os.getcwd()), os.environ['COLOUR'])"
    with child_process([sys.executable, "-c", code], tmp_path, log, {"COLOUR": "red"}) as process:
        assert process.wait(30) == 0
    assert log.read_text() == f"before\n{tmp_path.name} red\n"


def test_nothing_is_left_of_a_child_that_was_not_waited_for(tmp_path: Path) -> None:
    def begin() -> None:
        with child_process([sys.executable, "-c", SLEEPS], tmp_path, tmp_path / "log") as process:
            while not (found := psutil.Process(process.pid).children()):
                time.sleep(0.02)
            family.extend([process.pid, found[0].pid])
            process.wait(0.1)

    family: list[int] = []
    with pytest.raises(subprocess.TimeoutExpired):
        begin()
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE for p in family):
        assert time.monotonic() < deadline
        time.sleep(0.02)


DAEMON = """
import os, signal, subprocess, sys, time
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
sleeper = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, close_fds=False)
print(sleeper.pid, flush=True)
"""


@pytest.mark.parametrize(
    "end", ["", "os._exit(0)", "os.kill(os.getpid(), signal.SIGSEGV)", "time.sleep(600)"]
)
def test_program_that_left_its_session_and_lost_its_parent_ends_too(tmp_path: Path, end: str) -> None:
    log = tmp_path / "log"
    with child_process([sys.executable, "-c", DAEMON + end], tmp_path, log) as process:
        while not log.read_text().endswith("\n"):
            time.sleep(0.02)
        sleeper = psutil.Process(int(log.read_text()))
        if "sleep" not in end:
            process.wait(30)
            assert sleeper.is_running()
        begin = time.monotonic()
    assert time.monotonic() - begin < 5.0, "it was waited for"
    assert not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE


def test_family_of_another_program_is_left_alone(tmp_path: Path) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    with child_process(sleep, tmp_path, tmp_path / "other") as other:
        with child_process(sleep, tmp_path, tmp_path / "log"):
            pass
        assert other.poll() is None


def test_a_library_that_nobody_brings_is_left_to_the_system() -> None:
    assert preload("no-such-distribution", "libnothing.so.1") is None
    assert preload("pytest", "libnothing.so.1") is None
