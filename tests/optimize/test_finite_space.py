"""A space of a few points: every point once, then the search ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core.plugins.registry import load_registry


@pytest.mark.parametrize("optimizer", ["random", "sobol", "grid", "skopt-gp", "optuna-tpe"])
def test_a_search_ends_when_every_point_was_tried(
    study: Callable[..., Path], call: Any, optimizer: str
) -> None:
    if optimizer not in load_registry().names("optimizer"):
        pytest.skip(f"{optimizer} is not installed")
    fitter = {"numpy-pair": {"n_basis": {"min": 3, "max": 4}, "cutoff": {"choices": [5.0, 6.0]}}}
    path = study({"fitter": fitter, "optimizer": optimizer, "budget": {"trials": 14}})
    assert call("run", path, "--trials", 2).status == 0
    outcome = call("run", path)
    assert outcome.status == 0
    assert "exhausted after 4 trials" in " ".join((outcome.out + outcome.err).split())
    trials = json.loads(call("show", path, "--json").out)["trials"]
    points = {json.dumps(t["values"], sort_keys=True) for t in trials}
    assert len(trials) == len(points) == 4
