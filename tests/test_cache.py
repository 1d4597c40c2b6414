"""What plugins keep on disk, seen and cleared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xpot_core.cache import cache_entries, cache_folder, clear_cache


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path))
    for plugin, name, size in (("snap", "a.npz", 10), ("gap", "entry/kernel.npy", 20), ("gap", ".lock", 1)):
        file = cache_folder(plugin) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(size))
    return tmp_path


def test_entries_are_files_or_folders_and_locks_are_none(kept: Path) -> None:
    assert {(e.plugin, e.path.name, e.size) for e in cache_entries()} == {
        ("snap", "a.npz", 10),
        ("gap", "entry", 20),
    }


def test_one_plugin_is_cleared_and_the_other_stays(kept: Path) -> None:
    assert clear_cache("gap") == 20
    assert [e.plugin for e in cache_entries()] == ["snap"]
    assert (kept / "gap" / ".lock").exists()


def test_command(kept: Path, call: Any) -> None:
    shown = call("cache", "--json")
    assert sorted(e["size"] for e in json.loads(shown.out)) == [10, 20]
    assert "2 entries" in call("cache").out
    assert call("cache", "testing").status == 0, "a plugin that keeps nothing"
    for arguments in (["cache", "gpa"], ["cache", "--clear", "gpa"], ["cache", "--clear", ".."]):
        outcome = call(*arguments)
        assert outcome.status == 2
        assert "is no plugin" in outcome.err
    assert "did you mean 'gap'" in call("cache", "gpa").err
    assert call("cache", "--clear").status == 0
    assert json.loads(call("cache", "--json").out) == []
