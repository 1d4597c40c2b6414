"""Trainings that go on, fail and are killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mace_cases import TINY, stop_at, train
from xpot_mace.options import MaceOptions
from xpot_mace.potential.predictor import MacePredictor
from xpot_mace.training.process import PROCESS

from xpot_core.api import FitError, FittedPotential, PrunedError, TrialTimeoutError
from xpot_core.testing.frames import frames, training_data


def said(potential: FittedPotential, folder: Path) -> Any:
    return MacePredictor().predict(potential, frames(), directory=folder)


def assert_alike(one: FittedPotential, other: FittedPotential, folder: Path) -> None:
    a, b = said(one, folder), said(other, folder)
    np.testing.assert_allclose(a.energies, b.energies, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.concatenate(a.forces), np.concatenate(b.forces), rtol=0, atol=1e-9)


def test_stage_two_and_a_falling_rate_go_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Stop before and in stage two; the schedule of the rate and the best epoch come along."""
    options: dict[str, Any] = {"start_swa": 3, "scheduler_patience": 0, "lr": 0.08, "max_num_epochs": 5}
    whole = train(tmp_path / "whole", **options)
    for last in (2, 4):
        kept = tmp_path / f"kept-{last}"
        train(tmp_path / f"first-{last}", checkpoint=kept, **{**options, "max_num_epochs": last})
        rest = train(tmp_path / f"rest-{last}", resume_from=kept, **options)
        assert_alike(whole, rest, tmp_path)
        assert rest.metadata["of_epoch"] == whole.metadata["of_epoch"]


def test_a_pruned_training_leaves_the_process_ready(tmp_path: Path) -> None:
    """It is stopped within the step, and the next training is what it would have been."""
    first = train(tmp_path / "first")
    process = PROCESS._process
    with pytest.raises(PrunedError):
        train(tmp_path / "pruned", report=stop_at(2))
    assert PROCESS._process is process
    assert_alike(first, train(tmp_path / "second"), tmp_path)
    assert PROCESS._process is process


def test_a_kill_in_an_epoch_loses_that_epoch_alone(tmp_path: Path) -> None:
    """The process that trains is killed by signal 9 while it trains; what was reported is kept but for the last."""
    kept = tmp_path / "kept"
    reported: list[int] = []

    def kill(step: int, errors: Any) -> None:
        reported.append(step)
        if step == 3:
            assert PROCESS._process is not None
            threading.Timer(0.3, os.kill, (PROCESS._process.pid, signal.SIGKILL)).start()

    with pytest.raises(FitError, match="ended with status -9"):
        train(tmp_path / "killed", report=kill, checkpoint=kept, max_num_epochs=500)
    end = reported[-1] + 2
    steps: list[int] = []
    rest = train(
        tmp_path / "rest",
        resume_from=kept,
        report=lambda step, errors: steps.append(step),
        max_num_epochs=end,
    )
    # reported, but killed before it was kept: that step is done again
    assert steps[0] in (reported[-1], reported[-1] + 1)
    assert_alike(rest, train(tmp_path / "whole", max_num_epochs=end), tmp_path)


def test_failures_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="not a number") as caught:
        train(tmp_path / "nan", lr=1e30, clip_grad=None, ema=False)
    assert "lower lr" in str(caught.value)
    import torch

    if not torch.cuda.is_available():
        with pytest.raises(FitError, match="no GPU") as caught:
            train(tmp_path / "gpu", device="cuda")
        assert "device: cpu" in str(caught.value)
    with pytest.raises(FitError, match="there is no model"):
        train(tmp_path / "none", foundation_model=str(tmp_path / "none.model"))
    # and one goes on after all this
    assert train(tmp_path / "good").metadata["epochs"] == TINY["max_num_epochs"]


def test_the_time_limit_holds(tmp_path: Path) -> None:
    from xpot_mace.fitter import MaceFitter

    from xpot_core.api import FitRequest, Limits

    request = FitRequest(
        options=MaceOptions(**{**TINY, "max_num_epochs": 10000}),
        data=training_data(frames()),
        directory=tmp_path,
        limits=Limits(seconds=3.0),
    )
    start = time.monotonic()
    with pytest.raises(TrialTimeoutError):
        MaceFitter().fit(request)
    assert time.monotonic() - start < 30.0


def test_nothing_held_out_takes_the_last_epoch(tmp_path: Path) -> None:
    reports: list[Any] = []
    potential = train(tmp_path, held=(), report=lambda step, errors: reports.append(errors))
    assert potential.metadata["of_epoch"] == TINY["max_num_epochs"]
    assert all(not table.sums for table in reports)
    assert (tmp_path / "config.yaml").is_file()
    assert not (tmp_path / "training").exists()


def test_odd_groups_are_weighed_as_others(tmp_path: Path) -> None:
    """Weights by name and in the file are the same training."""

    def named(name: str) -> list[Any]:
        return [replace(f, group=name if f.group == "bulk" else f.group) for f in frames()]

    def trained(name: str, weight: float, small: float) -> FittedPotential:
        chosen = named(name)
        return train(
            tmp_path / f"{name}-{weight}",
            training_data(chosen[:9]),
            held=chosen[9:],
            config_type_weights={name: weight, "small": small},
        )

    odd = trained("12", 3.0, 0.5)
    assert_alike(trained("bulk", 3.0, 0.5), odd, tmp_path)
    other = trained("12", 1.0, 3.0)
    assert np.abs(said(other, tmp_path).energies - said(odd, tmp_path).energies).max() > 1e-3
