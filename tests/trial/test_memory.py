"""What a trial may use of this machine, and how many designs a worker keeps for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xpot_core.study_file.read import study_from_dict
from xpot_core.system.memory import machine_memory
from xpot_core.trial.fits.stage_times import StageTimes
from xpot_core.trial.runner import TrialRunner

MIDDLE = {"widths.0": 0.4, "energy_weight.cold": 1.0, "energy_weight.hot": 1.0}


def test_a_container_may_have_less_than_the_machine(tmp_path: Path) -> None:
    whole = machine_memory(())
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "some").write_text("1000000\n")
    assert machine_memory((tmp_path / "max", tmp_path / "none")) == whole
    assert machine_memory((tmp_path / "max", tmp_path / "some")) == 1_000_000


@pytest.mark.parametrize(
    ("executor", "limit", "share"),
    [
        ("serial", None, 0.8),
        ({"local": {"workers": 4}}, None, 0.2),
        ({"local": {"workers": 4, "gpus": 2}}, None, 0.4),
        ({"dask": {"workers": 4}}, None, None),
        ({"local": {"workers": 4}}, "1GB", "1GB"),
    ],
)
def test_trials_share_the_memory_of_the_machine(
    raw: dict[str, Any], folder: Path, executor: Any, limit: str | None, share: float | str | None
) -> None:
    study = {**raw, "executor": executor, "limits": {"memory": limit}}
    found = TrialRunner(study_from_dict(study, folder)).limits.memory_bytes
    if share is None:
        assert found is None
    else:
        assert found == (10**9 if share == "1GB" else int(float(share) * machine_memory()))


def test_large_designs_are_let_go_before_the_next_is_made(raw: dict[str, Any], folder: Path) -> None:
    runner = TrialRunner(study_from_dict({**raw, "limits": {"memory": "1GB"}}, folder))

    def kept(size: float, cutoffs: list[float]) -> int:
        for cutoff in cutoffs:
            design: Any = runner.design(runner.options({**MIDDLE, "cutoff": cutoff}), folder, 1, StageTimes())
            design.nbytes = size
        return len(runner._designs)

    assert kept(1e8, [4.0, 4.1, 4.2]) == 2
    assert kept(2e8, [4.3, 4.4]) == 1
