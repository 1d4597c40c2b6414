"""With ``ordered`` a study on several workers is the same on every run, whichever trial ends first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study


def _values(path: Path, runs: Path, **options: Any) -> list[dict[str, Any]]:
    study = Study(read_study(path), runs)
    study.run(**options)
    results = StudyResults.open(study.directory)
    assert all(t.loss is not None for t in results.trials)
    return [{**t.values, "loss": t.loss} for t in results.trials]


@pytest.fixture
def path(study: Callable[..., Path]) -> Path:
    pytest.importorskip("xpot_optuna")
    executor = {"local": {"workers": 2, "ordered": True}}
    return study(
        {"optimizer": {"optuna-tpe": {"initial": 4}}, "executor": executor, "budget": {"trials": 10}}
    )


@pytest.mark.slow
def test_two_runs_are_the_same(path: Path, folder: Path) -> None:
    first = _values(path, folder / "one")
    assert _values(path, folder / "two") == first
    assert len({v["cutoff"] for v in first}) == 10


def test_results_are_told_together_and_in_order(tmp_path: Path) -> None:
    """The first trial hangs until its time is over; the second one ends long before."""
    from xpot_core.api import LocalExecutor, LocalOptions
    from xpot_core.testing.contracts.executor import _FAULTY, _context, _task
    from xpot_core.testing.frames import frames, write_frames
    from xpot_core.types.fitting import Limits
    from xpot_core.types.trials import TrialState

    write_frames(tmp_path / "train.xyz", frames()[:6])
    executor = LocalExecutor(LocalOptions(workers=2, ordered=True))
    executor.start(_context(_FAULTY, tmp_path, Limits(seconds=5.0)))
    try:
        executor.submit(_task(0, {"mode": "hang"}, tmp_path))
        executor.submit(_task(1, {"mode": "exception"}, tmp_path))
        told = []
        while not told:
            told = executor.collect(timeout=1.0)
        assert [(r.number, r.state) for r in told] == [(0, TrialState.TIMEOUT), (1, TrialState.FAILED)]
    finally:
        executor.close(cancel=True)
