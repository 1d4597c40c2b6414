"""``benchmarks/fuzz.py`` in small; the full numbers stand in the guide."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if not (BENCHMARKS / "fuzz.py").is_file():
        pytest.skip("the benchmarks are not beside the tests")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("fuzz")
    sys.modules.pop("fuzz", None)


@pytest.mark.slow
@pytest.mark.skipif(not (BENCHMARKS / "fuzz.py").is_file(), reason="the benchmarks are not beside the tests")
def test_damaged_inputs_end_with_a_message() -> None:
    """In a process of its own: pytest's capture would take what the forked commands print."""
    command = [sys.executable, str(BENCHMARKS / "fuzz.py"), "--count", "80", "--seed", "5", "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"inputs": 20') == 4, done.stdout


def test_what_counts_as_a_fault(fuzz: Any) -> None:
    for ending, fault in (
        (fuzz.Ending(0, 1.0, "done", ""), ""),
        (fuzz.Ending(2, 1.0, "", "error: no"), ""),
        (fuzz.Ending(2, 1.0, "", ""), "no message"),
        (fuzz.Ending(1, 1.0, "", "remedy: this is a fault of xpot"), "unexpected"),
        (fuzz.Ending(3, 1.0, "x", ""), "status 3"),
        (fuzz.Ending(-24, 10.0, "", ""), "hung"),
        (fuzz.Ending(0, 1.0, "\x1b[2J", ""), "escape sequence"),
    ):
        assert fuzz.fault(ending) == fault
