"""Kill -9, Ctrl-C and SIGTERM at random moments: nothing lost, nothing doubled, nobody left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from study_cases import Make

from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.types.trials import TrialState

BUDGET = 12


@pytest.fixture
def campaign(
    study: Make, faulty_raw: dict[str, Any], folder: Path, xpot_command: list[str]
) -> Callable[..., subprocess.Popen[str]]:
    """Start ``xpot run`` on a study whose trials take a tenth of a second."""
    fitter = {"faulty": {"level": "tune", "mode": {"choices": ["ok", "infeasible"]}, "seconds": 0.1}}

    def start(executor: Any = "serial", trials: int = BUDGET) -> subprocess.Popen[str]:
        path = study(
            {
                "fitter": fitter,
                "optimizer": "random",
                "executor": executor,
                "budget": {"trials": trials, "failures": 1000},
            },
            base=faulty_raw,
        )
        return subprocess.Popen(
            [*xpot_command, "run", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            # what runs in the background of a shell is started deaf to Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


def finished(folder: Path) -> dict[int, tuple[str, Any]]:
    """What is in the store now: number -> values and loss of finished trials."""
    if not (folder / "runs/faulty/study.sqlite").is_file():
        return {}
    try:
        results = StudyResults.open(folder / "runs/faulty")
    except InputError as error:
        if "ended before it began" in str(error) or "no study here" in str(error):
            return {}
        raise
    return {t.number: (json.dumps(dict(t.values)), t.loss) for t in results.trials if t.state.finished}


def workers_of(pid: int) -> list[int]:
    """Processes that a coordinator started."""
    try:
        return [p.pid for p in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def all_gone(pids: list[int], patience: float = 10.0) -> bool:
    """Whether processes have ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        alive = [
            p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE
        ]
        if not alive:
            return True
        time.sleep(0.1)
    return False


def kill_at_random(
    start: Callable[..., subprocess.Popen[str]], folder: Path, executor: Any, kind: int, times: int, seed: int
) -> dict[str, int]:
    """Kill `times` times, checking after each; then run to the end."""
    rng = np.random.default_rng(seed)
    known: dict[int, tuple[str, Any]] = {}
    hits = 0
    for _ in range(times):
        process = start(executor)
        before = len(finished(folder))
        moment = rng.uniform(0.0, 0.4)
        deadline = time.monotonic() + 60
        # Let it do something first, else all kills would hit the start-up; then wait a random moment.
        while len(finished(folder)) <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(moment)
        children = workers_of(process.pid)
        if process.poll() is None:
            hits += 1
            process.send_signal(kind)
        out, _ = process.communicate(timeout=60)
        assert all_gone(children), "workers of a killed coordinator go on"
        if kind != signal.SIGKILL:
            assert "Traceback" not in out, out
        now = finished(folder)
        assert known.items() <= now.items(), "a finished trial was lost or changed"
        known = now
        if len(now) >= BUDGET:
            break
    last = start(executor)
    out, _ = last.communicate(timeout=120)
    assert last.returncode == 0, out
    assert known.items() <= finished(folder).items()
    return {"kills": hits}


def check_complete(folder: Path) -> None:
    results = StudyResults.open(folder / "runs/faulty")
    assert [t.number for t in results.trials] == list(range(BUDGET)), "not exactly the budgeted trials"
    assert all(t.state.finished for t in results.trials)
    assert len({json.dumps(dict(t.values)) for t in results.trials}) == BUDGET, "a trial was doubled"
    assert any(t.state is TrialState.COMPLETE for t in results.trials)
    assert results.final is not None
    assert (results.directory / "best/level.json").is_file()


LOCAL = {"local": {"workers": 2}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "executor"),
    [(signal.SIGKILL, "serial"), (signal.SIGKILL, LOCAL), (signal.SIGINT, LOCAL), (signal.SIGTERM, "serial")],
    ids=["kill-serial", "kill-local", "ctrl-c-local", "term-serial"],
)
def test_interrupted_at_random_moments(campaign: Any, folder: Path, kind: int, executor: Any) -> None:
    counts = kill_at_random(campaign, folder, executor, kind, times=2, seed=int(kind))
    assert counts["kills"] >= 1
    check_complete(folder)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_fifty_kills(campaign: Any, folder: Path, seed: int) -> None:
    executor = "serial" if seed % 2 else {"local": {"workers": 2}}
    kill_at_random(campaign, folder, executor, signal.SIGKILL, times=5, seed=seed)
    check_complete(folder)


def test_interrupt_says_how_to_continue(campaign: Any, folder: Path) -> None:
    process = campaign()
    while not finished(folder) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the same command continues it" in out


SLOW_REFIT = """
import time
from pathlib import Path
from xpot_core.api import hookimpl

@hookimpl(wrapper=True)
def xpot_fit(fitter, request):
    if request.final and not Path("hurry").exists():
        Path("refitting").touch()
        time.sleep(60)
    return (yield)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT], ids=["term", "ctrl-c"])
def test_interrupted_while_the_best_trial_is_refitted(
    campaign: Any, folder: Path, faulty_raw: dict[str, Any], kind: int
) -> None:
    (folder / "slow.py").write_text(SLOW_REFIT)
    faulty_raw["plugins"] = [*faulty_raw["plugins"], "slow.py"]
    process = campaign(trials=3)
    while not (folder / "refitting").is_file():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(kind)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1, out
    assert "the same command continues it" in out
    assert "Traceback" not in out, out
    known = finished(folder)
    assert len(known) == 3
    (folder / "hurry").touch()
    out, _ = (process := campaign(trials=3)).communicate(timeout=60)
    assert process.returncode == 0, out
    assert finished(folder) == known
    assert (folder / "runs/faulty/best/level.json").is_file()


def test_interrupted_before_the_first_trial(campaign: Any, folder: Path) -> None:
    """At any moment of the start: status 1 and a word, or the system's own end; never a traceback."""
    for moment in (0.2, 0.6, 0.9, 1.1, 1.3):
        process = campaign(trials=200)
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode in (1, -signal.SIGTERM), out
        assert "Traceback" not in out, out


@pytest.mark.slow
def test_killed_workers_cost_one_trial_each(campaign: Any, folder: Path) -> None:
    process = campaign({"local": {"workers": 2}})
    killed = 0
    while process.poll() is None and killed < 3:
        time.sleep(0.3)
        for pid in workers_of(process.pid)[:1]:
            if finished(folder):
                psutil.Process(pid).kill()
                killed += 1
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    results = StudyResults.open(folder / "runs/faulty")
    assert len(results.trials) == BUDGET
    lost = [t for t in results.trials if t.failure is not None and t.failure.stage == "worker"]
    assert len(lost) <= killed
    assert all("SIGKILL" in t.failure.message and t.failure.retryable for t in lost)


def test_second_coordinator_is_refused_with_the_pid(campaign: Any, folder: Path) -> None:
    first = campaign(trials=500)
    while not finished(folder) and first.poll() is None:
        time.sleep(0.02)
    second = campaign(trials=500)
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"is being run by process {first.pid}" in out
    before = finished(folder)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    assert before.items() <= finished(folder).items()
