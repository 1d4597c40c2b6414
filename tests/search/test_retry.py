"""``xpot retry``: which trials go back, and that the next run takes them up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import Make

from xpot_core.results.read import StudyResults
from xpot_core.types.trials import TrialState

Call = Callable[..., Any]

# Fails while the file "broken" is there; "exception" is a fault that the executor calls retryable or not.
FLAKY = """
import os
from pathlib import Path
from xpot_core.api import FitError, InfeasibleError, hookimpl

@hookimpl(wrapper=True)
def xpot_fit(fitter, request):
    if Path("broken").exists() and request.options.level > 0:
        raise FitError("the licence server did not answer", retryable=True)
    if request.options.level < -1:
        raise FitError("the matrix is singular")
    return (yield)
"""


@pytest.fixture
def failed(study: Make, faulty_raw: dict[str, Any], folder: Path, call: Call) -> Path:
    """A study with complete, retryable and hopeless trials."""
    (folder / "flaky.py").write_text(FLAKY)
    (folder / "broken").touch()
    changes = {
        "fitter": {"faulty": {"level": {"min": -3.0, "max": 3.0}}},
        "optimizer": "sobol",
        "plugins": [*faulty_raw["plugins"], "flaky.py"],
        "budget": {"trials": 8, "failures": 100},
    }
    path = study(changes, base=faulty_raw)
    assert call("run", path).status == 0
    return path


def by_kind() -> tuple[list[int], list[int]]:
    failures = [(t.number, t.failure) for t in StudyResults.open("runs/faulty").trials if t.failure]
    return [n for n, f in failures if f.retryable], [n for n, f in failures if not f.retryable]


def test_retryable_trials_run_again(failed: Path, folder: Path, call: Call) -> None:
    retryable, hopeless = by_kind()
    assert retryable
    assert hopeless
    before = {t.number: t for t in StudyResults.open("runs/faulty").trials}
    (folder / "broken").unlink()
    done = call("retry", failed)
    assert done.status == 0
    assert (
        f"{len(retryable)} trials run again with the next xpot run: {', '.join(map(str, retryable))}"
        in done.out
    )
    assert f"{len(hopeless)} unsuccessful trials stay" in done.out
    assert call("run", failed).status == 0
    after = {t.number: t for t in StudyResults.open("runs/faulty").trials}
    assert set(after) == set(before)
    for number, trial in after.items():
        assert trial.values == before[number].values
        if number in retryable:
            assert trial.state is TrialState.COMPLETE
        else:
            assert trial == before[number]


def test_by_number_state_and_all(failed: Path, call: Call) -> None:
    retryable, hopeless = by_kind()

    def waiting() -> list[int]:
        return [t.number for t in StudyResults.open("runs/faulty").trials if t.state is TrialState.WAITING]

    assert call("retry", failed, "--trial", hopeless[0]).status == 0
    assert waiting() == hopeless[:1]
    assert call("retry", failed, "--state", "timeout").status == 0
    assert waiting() == hopeless[:1]
    assert call("retry", "faulty", "--state", "failed,TIMEOUT").status == 0
    assert waiting() == sorted(retryable + hopeless)
    done = call("retry", failed, "--all")
    assert done.status == 0
    assert "no trial to run again" in done.out


def test_wrong_requests(failed: Path, call: Call) -> None:
    good = next(t.number for t in StudyResults.open("runs/faulty").trials if t.failure is None)
    for arguments, words in (
        (("--trial", good), "COMPLETE"),
        (("--trial", 99), "no trial 99"),
        (("--state", "FALED"), "did you mean 'FAILED'"),
        (("--state", "COMPLETE"), "not a state"),
        (("--all", "--trial", 1), "exclude each other"),
    ):
        done = call("retry", failed, *arguments)
        assert done.status == 2, arguments
        assert words in done.err
    assert call("retry", "nothing").status == 2


HOLD = """
import sys, time
from pathlib import Path
from xpot_core.store.store import Store
store = Store(Path(sys.argv[1]))
store.acquire()
print("held", flush=True)
time.sleep(600)
"""


def test_refused_while_the_study_runs(failed: Path, call: Call) -> None:
    command = [sys.executable, "-c", HOLD, "runs/faulty/study.sqlite"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        done = call("retry", failed)
        process.kill()
    assert done.status == 1
    assert f"is being run by process {process.pid}" in done.err
    assert all(t.state is not TrialState.WAITING for t in StudyResults.open("runs/faulty").trials)
