"""A small study to make families of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import Make


@pytest.fixture
def small(study: Make) -> Callable[..., Path]:
    """A study of two trials with keys replaced."""

    def make(matrix: dict[str, Any] | None = None, **changes: Any) -> Path:
        changes = {"budget": {"trials": 2}, "matrix": matrix, **changes}
        return study(changes)

    return make
