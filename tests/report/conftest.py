"""Studies that reports are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_up_studies import StudyMaker, make_frames

from xpot_core.results.read import StudyResults
from xpot_core.types.structures import Frame


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., StudyResults]:
    """A `StudyMaker` below the test's folder ``runs``."""
    return StudyMaker(tmp_path / "runs")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """A finished study with failures."""
    return StudyMaker(tmp_path_factory.mktemp("finished") / "runs")("made-up", fail_every=7)


@pytest.fixture
def frames() -> Callable[[int, int], tuple[Frame, ...]]:
    """Makes random structures: count, seed."""
    return make_frames
