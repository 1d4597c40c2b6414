"""Commands that read data tell how far they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core.system import progress


@pytest.mark.parametrize(
    ("command", "options"), [("run", ["--trials", 1]), ("fit", []), ("doctor", ["--no-fit"])]
)
def test_reading_is_told(
    study: Callable[..., Path], call: Any, monkeypatch: pytest.MonkeyPatch, command: str, options: list[Any]
) -> None:
    for name in ("_FIRST", "_BETWEEN", "_FEW"):  # as if reading took long
        monkeypatch.setattr(progress, name, 0)
    assert "reading train.xyz: structure 0" in call(command, study(), *options).err


def test_quiet_is_quiet(study: Callable[..., Path], call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST", "_BETWEEN", "_FEW"):
        monkeypatch.setattr(progress, name, 0)
    assert "reading" not in call("run", study(), "--trials", 1, "--quiet").err
