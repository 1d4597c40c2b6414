"""The study that `survival.py` harms, and what is checked of it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

import xpot_core.testing
from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.testing.frames import frames, write_frames

XPOT = [sys.executable, "-c", "from xpot_core.cli import main; main()"]
LOCAL = {"local": {"workers": 2}}
# A listener in the worker: who is fitted, and when.
WITNESS = """
import json, os, time
from pathlib import Path
from xpot_core.api import hookimpl

@hookimpl(wrapper=True)
def xpot_fit(fitter, request):
    line = json.dumps({"directory": str(request.directory), "final": request.final}) + "\\n"
    with open(Path(__file__).with_name("fits.jsonl"), "a") as stream:
        stream.write(line)
    return (yield)
"""


@dataclass
class Campaign:
    """A study in a folder of its own, and what is known about it.

    Attributes
    ----------
    folder
        Holds data, study file and ``runs``.
    budget
        Number of trials.
    executor
        Block of the study file.
    seconds
        What a fit takes.
    """

    folder: Path
    budget: int
    executor: Any = "serial"
    seconds: float = 0.05
    known: dict[int, tuple[str, Any]] = field(default_factory=dict)
    runs: Path = Path("runs")

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_frames(self.folder / "train.xyz", frames()[:6])
        (self.folder / "witness.py").write_text(WITNESS)
        study = {
            "study": "victim",
            "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
            "fitter": {
                "faulty": {
                    "level": "tune",
                    "mode": {"choices": ["ok", "infeasible"]},
                    "seconds": self.seconds,
                }
            },
            "optimizer": "random",
            "executor": self.executor,
            "budget": {"trials": self.budget, "failures": 100_000},
            "plugins": [str(Path(xpot_core.testing.__file__).with_name("faulty.py")), "witness.py"],
        }
        (self.folder / "study.yaml").write_text(yaml.safe_dump(study))

    @property
    def directory(self) -> Path:
        return self.folder / self.runs / "victim"

    def start(self, *arguments: str, command: Sequence[str] = XPOT) -> subprocess.Popen[str]:
        """Begin ``xpot run``."""
        return subprocess.Popen(
            [*command, "run", "study.yaml", "--trust", "--runs", str(self.runs), "--quiet", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )  # fmt: skip

    def xpot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*XPOT, *arguments, "--runs", str(self.runs)],
            capture_output=True, text=True, cwd=self.folder, check=False, timeout=600,
        )  # fmt: skip

    def finished(self) -> dict[int, tuple[str, Any]]:
        """Finished trials in the store: number -> values and loss."""
        try:
            results = StudyResults.open(self.directory)
        except InputError as error:
            if any(words in str(error) for words in ("before it began", "no study here", "neither a study")):
                return {}
            raise
        return {t.number: (json.dumps(dict(t.values)), t.loss) for t in results.trials if t.state.finished}

    def progress(self, before: int, process: subprocess.Popen[str], patience: float = 120.0) -> None:
        """Wait until another trial is finished."""
        deadline = time.monotonic() + patience
        while self.count() <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def count(self) -> int:
        """Number of finished trials, read without haste for the study."""
        path = self.directory / "study.sqlite"
        if path.is_file():
            with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as db:
                states = "('WAITING', 'RUNNING')"
                rows = db.execute(f"SELECT COUNT(*) FROM trials WHERE state NOT IN {states}")
                return int(rows.fetchone()[0])
        return 0

    def check(self) -> None:
        """Nothing that was finished is lost or changed; nobody fits it again."""
        now = self.finished()
        assert self.known.items() <= now.items(), "a finished trial was lost or changed"
        again = set(self.fits()[self._fits_seen :]) & set(self.known)
        assert not again, f"finished trials {sorted(again)} were fitted again"
        self.known, self._fits_seen = now, len(self.fits())

    _fits_seen: int = 0

    def fits(self) -> list[int]:
        """Numbers of the trials that were fitted, in order."""
        path = self.folder / "fits.jsonl"
        lines = path.read_text().splitlines() if path.is_file() else []
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [int(Path(f["directory"]).name) for f in found if not f["final"]]

    def complete(self) -> None:
        """Run to the budget and check everything."""
        process = self.start()
        out, _ = process.communicate(timeout=1200)
        assert process.returncode == 0, out
        self.check()
        results = StudyResults.open(self.directory)
        assert [t.number for t in results.trials] == list(range(self.budget)), "not the budgeted trials"
        assert all(t.state.finished for t in results.trials)
        assert len({json.dumps(dict(t.values)) for t in results.trials}) == self.budget, "doubled"
        assert results.final is not None, "no refit"
        with contextlib.closing(sqlite3.connect(self.directory / "study.sqlite")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"

    def states(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for trial in StudyResults.open(self.directory).trials:
            found[str(trial.state)] = found.get(str(trial.state), 0) + 1
        return found


def children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
        return found
    return []


def all_gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=15)[1]
