"""Lines about how far something long is."""

from __future__ import annotations

import pytest

from xpot_core.system import progress
from xpot_core.system.progress import told


def test_nothing_is_told_of_what_is_quick() -> None:
    lines: list[str] = []
    assert list(told(range(1000), lines.append, "reading: structure", 1000)) == list(range(1000))
    assert lines == []


def test_how_many_are_done_and_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.2, 1.1, 1.3, 2.8])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    lines: list[str] = []
    list(told([30, 10, 40, 20], lines.append, "descriptors: atom", 100, lambda atoms: atoms))
    assert lines == [
        "descriptors: atom 30 of 100, about 3 s left",
        "descriptors: atom 80 of 100, about 1 s left",
    ]


def test_without_a_total_only_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 10.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    lines: list[str] = []
    list(told("ab", lines.append, "reading a.db: structure"))
    assert lines == ["reading a.db: structure 0", "reading a.db: structure 1"]
