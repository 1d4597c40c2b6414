"""What plugins keep on disk, seen and cleared by the command line; what is not ours stays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cache_cases import entry, itself, key

from xpot_core.api import BoundedCache, cache_folder
from xpot_core.system.cache import folders
from xpot_core.system.cache.entry_file import work_for
from xpot_core.system.cache.folders import cache_items, cache_root, clear_cache


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with entries of two plugins, and things of the user beside, in and around them."""
    root = tmp_path / "root"
    monkeypatch.setenv("XPOT_CACHE", str(root))
    work_for("")  # an earlier test of this process may have run a study
    BoundedCache(cache_folder("snap"), 1e6).store(key("a"), entry())
    for name in "ab":
        BoundedCache(cache_folder("gap"), 1e6).store(key(name), entry())
    (root / "gap" / f".{key('a')}.lock").touch()
    (root / "gap" / "notes.txt").write_text("mine")
    (root / "gap" / key("old")).mkdir()
    (root / "gap" / key("old") / "kernel.npy").write_text("mine")
    for folder in ("Documents", "empty", ".ssh"):
        (root / folder).mkdir()
    (root / "Documents" / "thesis.tex").write_text("mine")
    (root / "Documents" / "[red]\x1b[31m.npz").write_text("mine")
    (root / ".ssh" / "id").write_text("mine")
    (root / "file").write_text("mine")
    outside = tmp_path / "outside"
    BoundedCache(outside / "snap", 1e6).store(key("a"), entry())
    (root / "linked").symlink_to(outside / "snap")
    return root


def test_entries_and_what_is_not_ours(kept: Path) -> None:
    ours = [(i.plugin, i.path.name[:64], i.summary) for i in cache_items() if i.ours]
    assert sorted(ours) == sorted(
        [(p, key(k), "what it is") for p, k in (("gap", "a"), ("gap", "b"), ("snap", "a"))]
    )
    others = {str(i.path.relative_to(kept)) for i in cache_items() if not i.ours}
    assert others == {"Documents", ".ssh", "file", "linked", "gap/notes.txt", f"gap/{key('old')}"}


def test_clear_removes_entries_and_nothing_else(kept: Path) -> None:
    entries = {i.path for i in cache_items() if i.ours}
    before = {p: p.is_file() and p.read_bytes() for p in kept.parent.rglob("*") if p not in entries}
    freed = sum(p.stat().st_size for p in entries if p.parent.name == "gap")
    assert clear_cache(cache_items("gap")) == freed
    assert [i.plugin for i in cache_items() if i.ours] == ["snap"]
    clear_cache(cache_items())
    assert not any(i.ours for i in cache_items())
    after = {p: p.is_file() and p.read_bytes() for p in kept.parent.rglob("*")}
    assert after == before
    assert clear_cache(cache_items()) == 0


def _rows(out: str) -> set[tuple[str, ...]]:
    """The first three cells of each line."""
    return {tuple(cell.strip() for cell in line.split("\t")[:3]) for line in out.splitlines()}


def test_command(kept: Path, call: Any) -> None:
    shown = json.loads(call("cache", "--json").out)
    assert {"plugin", "path", "size", "used", "summary", "ours", "study"} == set(shown[0])
    assert [e["plugin"] for e in shown if e["ours"]].count("gap") == 2
    out = call("cache").out
    assert "3 entries" in out
    assert ("not known", "gap", "2") in _rows(out)
    assert "left alone, not an entry of a cache" in out
    assert "\x1b" not in out
    assert call("cache", "testing").status == 0, "a plugin that keeps nothing"
    for arguments in (["cache", "gpa"], ["cache", "--clear", "gpa"], ["cache", "--clear", ".."]):
        outcome = call(*arguments)
        assert outcome.status == 2
        assert "is no plugin" in outcome.err
    assert "did you mean 'gap'" in call("cache", "gpa").err
    cleared = call("cache", "--clear")
    assert cleared.status == 0
    assert "freed 0.0 MB" in cleared.out
    assert "notes.txt" in cleared.out
    assert not any(e["ours"] for e in json.loads(call("cache", "--json").out))
    assert (kept / "gap" / "notes.txt").read_text() == "mine"


def test_entries_are_listed_by_the_study_that_made_them(kept: Path, call: Any) -> None:
    for study, names in {"copper": "cd", "tin": "e"}.items():
        work_for(study)
        for name in names:
            BoundedCache(cache_folder("snap"), 1e6).store(key(name), entry())
    work_for("")
    os.utime(kept / "snap" / f"{key('c')}.xpotcache", (1, 1))
    rows = _rows(call("cache").out)
    assert {("copper", "snap", "2"), ("tin", "snap", "1"), ("not known", "snap", "1")} <= rows
    assert len(json.loads(call("cache", "--study", "copper", "--json").out)) == 2
    assert call("cache", "--study", "copper", "--entries").out.count(key("d")[:12]) == 1
    assert "1 entries" in call("cache", "--study", "copper", "--older", "1").out
    call("cache", "--study", "copper", "--clear")
    assert [i.study for i in cache_items("snap") if i.ours and i.study] == ["tin"]


@pytest.mark.parametrize("root", ["/", "/proc/self", "/dev", "/etc"])
def test_roots_of_a_system_are_harmless(root: str, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    monkeypatch.setenv("XPOT_CACHE", root)
    assert not any(item.ours for item in cache_items())
    outcome = call("cache")
    assert outcome.status == 0
    assert outcome.out.count("left alone") <= 21


def test_damaged_entries_are_listed_and_cleared(kept: Path) -> None:
    for item in cache_items():
        if item.ours:
            item.path.write_bytes(item.path.read_bytes()[:100])
    assert [i.summary for i in cache_items() if i.ours] == ["damaged"] * 3
    clear_cache(cache_items())
    assert not any(i.ours for i in cache_items())


def test_root_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "absent"))
    assert json.loads(call("cache", "--json").out) == []
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "file"))
    for arguments in ([], ["--clear"]):
        outcome = call("cache", *arguments)
        assert outcome.status == 2
        assert "XPOT_CACHE" in outcome.err
    assert (tmp_path / "file").read_text() == "mine"


def test_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run us as a user that nobody knows."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XPOT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    cache = BoundedCache(cache_folder("snap"), 1e6)
    assert cache.fetch(key("a"), entry, itself, itself).facts
    assert len(cache.notes) == 1


def test_relative_root_is_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XPOT_CACHE", "here")
    assert cache_root() == tmp_path / "here"
    assert folders.cache_folder("gap").is_absolute()


def test_old_entries_go_alone(kept: Path, call: Any) -> None:
    (old,) = [i.path for i in cache_items("gap") if i.path.name.startswith(key("a"))]
    os.utime(old, (1.7e9, 1.7e9))
    listed = json.loads(call("cache", "--older", 30, "--json").out)
    assert [i["path"] for i in listed if i["ours"]] == [str(old)]
    assert "days ago" in call("cache").out
    assert call("cache", "--clear", "--older", 30).status == 0
    assert not old.exists()
    assert len([i for i in cache_items() if i.ours]) == 2
