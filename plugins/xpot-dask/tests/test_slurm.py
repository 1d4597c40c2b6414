"""Studies on a real Slurm: ``tests/slurm/one_node.sh start`` makes one of a single node."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import xpot_core.testing
from xpot_core.results import StudyResults
from xpot_core.testing.frames import frames, write_frames
from xpot_core.trials import TrialState

FAULTY = Path(xpot_core.testing.__file__).with_name("faulty.py")
XPOT = [sys.executable, "-c", "from xpot_core.cli import main; main()"]
JOB = {"cores": 2, "memory": "500MB", "walltime": "00:10:00", "jobs": 1}


def _answers() -> bool:
    if shutil.which("sinfo") is None:
        return False
    done = subprocess.run(
        ["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode == 0 and any(state in done.stdout for state in ("idle", "mixed", "alloc"))


pytestmark = [
    pytest.mark.slow,
    pytest.mark.slurm,
    pytest.mark.skipif(not _answers(), reason="no Slurm answers; tests/slurm/one_node.sh start makes one"),
]


def _jobs(folder: Path) -> list[str]:
    """Jobs that were submitted from the folder; other tests may have theirs."""
    command = ["squeue", "--noheader", "--format=%i %Z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if line.split()[-1] == str(folder)]


def _until(done: Callable[[], Any], patience: float = 90.0) -> Any:
    deadline = time.monotonic() + patience
    while not (found := done()):
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.2)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_frames(tmp_path / "train.xyz", frames()[:6])
    return tmp_path


def _study(folder: Path, executor: Any, trials: int, seconds: float = 0.3) -> list[str]:
    content = {
        "study": "s",
        "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
        "fitter": {"faulty": {"level": "tune", "seconds": seconds}},
        "optimizer": "random",
        "executor": executor,
        "budget": {"trials": trials},
        "plugins": [str(FAULTY)],
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return [*XPOT, "run", "study.yaml", "--quiet"]


def _start(folder: Path, command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _finished(folder: Path) -> dict[int, Any]:
    try:
        trials = StudyResults.open(folder / "runs/s").trials
    except Exception:
        return {}
    return {t.number: (dict(t.values), t.loss) for t in trials if t.state.finished}


def _check(folder: Path, n: int) -> None:
    results = StudyResults.open(folder / "runs/s")
    assert [t.number for t in results.trials] == list(range(n))
    assert all(t.state is TrialState.COMPLETE for t in results.trials), [t.failure for t in results.trials]
    assert results.final is not None


def test_study_on_jobs(folder: Path) -> None:
    command = _study(folder, {"dask": {"cluster": {"slurm": JOB}}}, trials=12)
    process = _start(folder, command)
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0, out
    _check(folder, 12)
    workers = {t.worker for t in StudyResults.open(folder / "runs/s").trials}
    assert len(workers) == 2, "a job of two cores runs two trials at once"
    _until(lambda: not _jobs(folder))
    logs = folder / "runs/s/dask"
    assert logs.stat().st_mode & 0o077 == 0, "others can read where the keys lay"
    assert not list(logs.glob("*.pem*"))


def test_cancelled_job_is_replaced_and_its_trials_run_again(folder: Path) -> None:
    command = _study(folder, {"dask": {"cluster": {"slurm": JOB}}}, trials=16, seconds=2.0)
    process = _start(folder, command)
    _until(lambda: len(_finished(folder)) >= 2)
    first = _jobs(folder)
    subprocess.run(["scancel", *first], check=True)
    known = _finished(folder)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert known.items() <= _finished(folder).items()
    _check(folder, 16)
    _until(lambda: not _jobs(folder))


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_coordinator_of_jobs_is_ended(folder: Path, kind: int) -> None:
    """Its jobs end too, and the next run submits new ones and goes on."""
    command = _study(folder, {"dask": {"cluster": {"slurm": JOB}}}, trials=10, seconds=1.0)
    process = _start(folder, command)
    _until(lambda: len(_finished(folder)) >= 3)
    process.send_signal(kind)
    out, _ = process.communicate(timeout=60)
    assert "Traceback" not in out
    known = _finished(folder)
    _until(lambda: not _jobs(folder), patience=100.0 if kind == signal.SIGKILL else 45.0)
    out, _ = (process := _start(folder, command)).communicate(timeout=200)
    assert process.returncode == 0, out
    assert known.items() <= _finished(folder).items()
    _check(folder, 10)


def test_refused_job_is_told(folder: Path) -> None:
    job = {**JOB, "queue": "nowhere"}
    command = _study(folder, {"dask": {"cluster": {"slurm": job}}}, trials=2)
    process = _start(folder, command)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "refused a job" in out
    assert "invalid partition" in out.lower()
    assert "Traceback" not in out
    assert not _jobs(folder)


@pytest.mark.parametrize("executor", ["serial", {"local": {"workers": 2}}], ids=["serial", "local"])
def test_coordinator_in_a_job_survives_scancel(folder: Path, executor: Any) -> None:
    """The batch system sends SIGTERM and later SIGKILL; the next job continues the study."""
    command = _study(folder, executor, trials=20)
    quoted = " ".join(f"'{word}'" for word in command)
    script = f"#!/bin/bash\n#SBATCH -n 1 -c 2 --mem=500 -t 10 -o job-%j.log\ncd '{folder}'\nexec {quoted}\n"
    (folder / "job.sh").write_text(script)

    def submit() -> str:
        done = subprocess.run(
            ["sbatch", "--parsable", "job.sh"], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    job = submit()
    _until(lambda: len(_finished(folder)) >= 3)
    subprocess.run(["scancel", "--full", job], check=True)
    _until(lambda: not _jobs(folder))
    known = _finished(folder)
    assert 3 <= len(known) < 20
    states = {t.state for t in StudyResults.open(folder / "runs/s").trials}
    assert TrialState.RUNNING not in states
    assert "the same command continues it" in (folder / f"job-{job}.log").read_text()
    submit()
    _until(lambda: len(_finished(folder)) == 20 and not _jobs(folder))
    assert known.items() <= _finished(folder).items()
    _check(folder, 20)
