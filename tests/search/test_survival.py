"""The campaigns of ``benchmarks/survival.py`` in small; the full numbers stand in the guide."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def survival() -> Any:
    if not (BENCHMARKS / "survival.py").is_file():
        pytest.skip("the benchmarks are not beside the tests")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("survival")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "kill -9 of the coordinator",
        "kill -9 of workers",
        "SIGTERM of the coordinator",
        "two coordinators at once",
        "disk full",
        "store read-only",
        "clock jumping",
        "two containers",
        "take-over of a suspended coordinator",
        "five starts at once",
        "three restarts at once",
    ],
)
def test_nothing_is_lost_or_doubled(survival: Any, name: str, tmp_path: Path) -> None:
    campaign, share = survival.CAMPAIGNS[name]
    try:
        counts = campaign(tmp_path / "campaign", max(round(6 * share), 2))
    except survival.NotPermittedError as reason:
        pytest.skip(str(reason))
    assert counts["trials"] > 0


def test_every_campaign_is_tested(survival: Any) -> None:
    mark = next(m for m in test_nothing_is_lost_or_doubled.pytestmark if m.name == "parametrize")
    assert set(mark.args[1]) == set(survival.CAMPAIGNS)
