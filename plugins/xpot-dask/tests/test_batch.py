"""Studies on real batch systems: ``tests/slurm/one_node.sh start`` and ``tests/gridengine/one_node.sh start`` make
them of a single node.
"""

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
from xpot_core.results.read import StudyResults
from xpot_core.types.trials import TrialState

FAULTY = Path(xpot_core.testing.__file__).with_name("faulty.py")
XPOT = [sys.executable, "-c", "from xpot_core.cli import main; main()"]
JOB = {"cores": 2, "memory": "500MB", "walltime": "00:10:00", "jobs": 1}


# Where Debian's Grid Engine lies, which its commands want to be told.
ENVIRONMENT = {
    "SGE_ROOT": "/var/lib/gridengine", "SGE_CELL": "default", **os.environ, "OMP_NUM_THREADS": "1",
}  # fmt: skip


def _said(*command: str) -> str:
    """What a command of a batch system prints; nothing if it fails or is not there."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=ENVIRONMENT)
    return done.stdout if done.returncode == 0 else ""


class Slurm:
    """``sbatch``, ``squeue``, ``scancel``."""

    name, directives, cancel, refusal = "slurm", [], "scancel", "invalid partition"

    @staticmethod
    def answers() -> bool:
        listed = _said("sinfo", "--noheader", "--format=%T")
        return any(state in listed for state in ("idle", "mixed", "alloc"))

    @staticmethod
    def jobs(folder: Path) -> list[str]:
        """Jobs that were submitted from the folder; other tests may have theirs."""
        lines = _said("squeue", "--noheader", "--format=%i %Z").splitlines()
        return [line.split()[0] for line in lines if line.split()[-1] == str(folder)]


class GridEngine:
    """``qsub``, ``qstat``, ``qdel``; places of a job have to be asked for by a directive."""

    name, directives, cancel, refusal = "sge", ["-pe smp 2"], "qdel", "unknown queue"

    @staticmethod
    def answers() -> bool:
        return "main.q" in _said("qstat", "-f")

    @staticmethod
    def jobs(folder: Path) -> list[str]:
        numbers = [line.split()[0] for line in _said("qstat").splitlines()[2:]]
        return [n for n in numbers if f"sge_o_workdir:              {folder}" in _said("qstat", "-j", n)]


def _needs(system: type[Slurm | GridEngine], folder: str) -> Any:
    return pytest.mark.skipif(
        not system.answers(),
        reason=f"{system.name} does not answer; tests/{folder}/one_node.sh start makes one",
    )


pytestmark = pytest.mark.slow
SYSTEMS = pytest.mark.parametrize(
    "system",
    [
        pytest.param(Slurm, marks=[pytest.mark.slurm, _needs(Slurm, "slurm")], id="slurm"),
        pytest.param(GridEngine, marks=[pytest.mark.gridengine, _needs(GridEngine, "gridengine")], id="sge"),
    ],
)
System = type[Slurm | GridEngine]


def _executor(system: System, **job: Any) -> dict[str, Any]:
    block = {**JOB, "directives": system.directives, **job}
    return {"dask": {"cluster": {system.name: block}}}


def _until(done: Callable[[], Any], patience: float = 90.0) -> Any:
    deadline = time.monotonic() + patience
    while not (found := done()):
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.2)
    return found


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
    return [*XPOT, "run", "study.yaml", "--trust", "--quiet"]


def _start(folder: Path, command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
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


@SYSTEMS
def test_study_on_jobs(folder: Path, system: System) -> None:
    command = _study(folder, _executor(system), trials=12)
    process = _start(folder, command)
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0, out
    _check(folder, 12)
    workers = {t.worker for t in StudyResults.open(folder / "runs/s").trials}
    assert len(workers) == 2, "a job of two cores runs two trials at once"
    _until(lambda: not system.jobs(folder))
    logs = folder / "runs/s/dask"
    assert logs.stat().st_mode & 0o077 == 0, "others can read where the keys lay"
    assert not list(logs.glob("*.pem*"))


@SYSTEMS
def test_cancelled_job_is_replaced_and_its_trials_run_again(folder: Path, system: System) -> None:
    command = _study(folder, _executor(system), trials=16, seconds=2.0)
    process = _start(folder, command)
    _until(lambda: len(_finished(folder)) >= 2)
    first = system.jobs(folder)
    subprocess.run([system.cancel, *first], check=True, env=ENVIRONMENT)
    known = _finished(folder)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert known.items() <= _finished(folder).items()
    _check(folder, 16)
    _until(lambda: not system.jobs(folder))


@SYSTEMS
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_coordinator_of_jobs_is_ended(folder: Path, kind: int, system: System) -> None:
    """Its jobs end too, and the next run submits new ones and goes on."""
    command = _study(folder, _executor(system), trials=10, seconds=1.0)
    process = _start(folder, command)
    _until(lambda: len(_finished(folder)) >= 3)
    process.send_signal(kind)
    out, _ = process.communicate(timeout=60)
    assert "Traceback" not in out
    known = _finished(folder)
    _until(lambda: not system.jobs(folder), patience=100.0 if kind == signal.SIGKILL else 45.0)
    out, _ = (process := _start(folder, command)).communicate(timeout=200)
    assert process.returncode == 0, out
    assert known.items() <= _finished(folder).items()
    _check(folder, 10)


@SYSTEMS
def test_refused_job_is_told(folder: Path, system: System) -> None:
    command = _study(folder, _executor(system, queue="nowhere"), trials=2)
    process = _start(folder, command)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "refused a job" in out
    assert system.refusal in out.lower()
    assert "Traceback" not in out
    assert not system.jobs(folder)


@pytest.mark.slurm
@_needs(Slurm, "slurm")
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
    _until(lambda: not Slurm.jobs(folder))
    known = _finished(folder)
    assert 3 <= len(known) < 20
    states = {t.state for t in StudyResults.open(folder / "runs/s").trials}
    assert TrialState.RUNNING not in states
    assert "the same command continues it" in (folder / f"job-{job}.log").read_text()
    submit()
    _until(lambda: len(_finished(folder)) == 20 and not Slurm.jobs(folder))
    assert known.items() <= _finished(folder).items()
    _check(folder, 20)
