"""A cache of arrays: served as written or made again, bounded, and strangers left alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cache_cases import ARRAYS, FACTS, entry, fetch, itself, key, only_file, same

from xpot_core.api import BoundedCache, CacheEntry
from xpot_core.system.cache import bounded_cache, entry_file


@pytest.fixture(params=[False, True], ids=["memory", "mapped"])
def cache(tmp_path: Path, request: pytest.FixtureRequest) -> BoundedCache:
    return BoundedCache(tmp_path / "cache" / "mine", 1e6, mapped=request.param)


def test_found_again_as_it_was(cache: BoundedCache) -> None:
    found, built = fetch(cache)
    assert built
    assert same(found)
    found, built = fetch(cache)
    assert not built
    assert same(found)
    assert found.summary == "what it is"
    assert found.arrays["fortran"].flags.f_contiguous, "another order gives other rounding"
    assert found.arrays["matrix"].ctypes.data % 16 == 0
    assert cache.notes == ()
    assert only_file(cache).name == f"{key('k')}.xpotcache"


@pytest.mark.parametrize("bad", ["a", "../" + 61 * "a", 64 * "A", 63 * "a" + "/", ""])
def test_key_is_a_checksum(cache: BoundedCache, bad: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        cache.load(bad, itself)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        cache.store(bad, entry())


# -- damage ------------------------------------------------------------------------------------------


def test_any_flipped_bits_are_found_or_do_not_matter(cache: BoundedCache) -> None:
    rng = np.random.default_rng(1)
    fetch(cache)
    path = only_file(cache)
    whole = path.read_bytes()
    rebuilt = 0
    for trial in range(120):
        bad = bytearray(whole)
        # the first line, where a flip is most likely to be read as something else, gets half of them
        reach = len(whole) if trial % 2 else whole.index(b"\n") + 1
        for position in rng.integers(reach, size=rng.choice([1, 1, 2, 8])):
            bad[position] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        found, built = fetch(cache)
        assert same(found)
        rebuilt += built
        assert path.read_bytes() == whole or not built, "a damaged entry breaks its key"
        path.write_bytes(whole)
    assert rebuilt > 60


@pytest.mark.parametrize("length", [0, 1, 12, 13, 40, 200, 1000, -1, -13, -14])
def test_truncated_entry_is_made_again(cache: BoundedCache, length: int) -> None:
    fetch(cache)
    path = only_file(cache)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    found, built = fetch(cache)
    assert built
    assert same(found)
    assert path.read_bytes() == whole
    assert cache.notes == () or "was damaged" in cache.notes[0]


def test_longer_zeroed_or_swapped_entries_are_made_again(cache: BoundedCache) -> None:
    fetch(cache)
    path = only_file(cache)
    whole = path.read_bytes()
    other = BoundedCache(cache.folder, 1e6)
    other.store(key("other"), entry(2000))
    swapped = (cache.folder / f"{key('other')}.xpotcache").read_bytes()
    middle = len(whole) // 2
    for bad in (whole + b"x", whole + whole, whole[:middle] + bytes(len(whole) - middle), swapped):
        path.write_bytes(bad)
        found, built = fetch(cache)
        assert built
        assert same(found)
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "header",
    [
        {"arrays": [["../../x", "<f8", [1], "C", 0]]},
        {"arrays": [["x", "|O", [1], "C", 0]]},
        {"arrays": [["x", "<f8", [-1], "C", 0]]},
        {"arrays": [["x", "<f8", [10**30], "C", 0]]},
        {"arrays": [["x", "no such type", [1], "C", 0]]},
        {"arrays": 3},
        {"key": "another"},
        {"summary": None, "facts": None, "arrays": []},
        {"facts": 1},
    ],
    ids=str,
)
def test_wrong_manifest_with_a_right_checksum(
    cache: BoundedCache, header: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(cache)
    path = only_file(cache)
    whole = path.read_bytes()
    dumps = entry_file.json.dumps
    with monkeypatch.context() as patch:
        patch.setattr(entry_file.json, "dumps", lambda data: dumps({**data, **header}))
        cache.store(key("k"), entry())
    assert path.read_bytes() != whole

    def unpack(found: CacheEntry) -> CacheEntry:
        if set(found.arrays) != set(ARRAYS) or found.facts != FACTS:
            raise KeyError("matrix")
        return found

    assert same(cache.fetch(key("k"), entry, itself, unpack))
    assert path.read_bytes() == whole
    assert sorted(p.name for p in cache.folder.parents[1].rglob("*")) == sorted(["cache", "mine", path.name])


# -- what is not ours --------------------------------------------------------------------------------


@pytest.fixture
def strangers(cache: BoundedCache, tmp_path: Path) -> Iterator[Path]:
    """Everything that might be taken for ours by a careless cache; unchanged in the end."""
    folder = cache.folder
    folder.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    BoundedCache(outside, 1e6).store(key("linked"), entry())
    (outside / "thesis.tex").write_text("years")
    (folder / "thesis.tex").write_text("years")
    (folder / f"{key('text')}.xpotcache").write_text("named like an entry")
    (folder / f"{key('folder')}.xpotcache").mkdir()
    (folder / f"{key('folder')}.xpotcache" / "mine.txt").write_text("years")
    (folder / f"{key('linked')}.xpotcache").symlink_to(outside / f"{key('linked')}.xpotcache")
    (folder / f"{key('dangling')}.xpotcache").symlink_to("nowhere")
    (folder / f"{key('tree')}.xpotcache").symlink_to(outside)
    os.mkfifo(folder / f"{key('pipe')}.xpotcache")
    (folder / f"{key('upper').upper()}.xpotcache").write_bytes(entry_file.MARK)
    (folder / key("old")).mkdir()
    (folder / key("old") / "kernel.npy").write_bytes(b"old")
    (folder / f"{key('old')}.npz").write_bytes(b"old")
    (folder / "x.tmp").write_text("years")
    (folder / f".{key('lock')}.lock").write_text("not empty")
    (folder / f".{key('tmp')}.{16 * 'a'}.tmp").write_text("not marked")
    (folder / "-rf \x1b[31m\n*").write_text("years")
    for path in folder.iterdir():
        os.utime(path, (1, 1), follow_symlinks=False)

    def listing() -> dict[str, object]:
        found: dict[str, object] = {}
        for root in (folder, outside):
            for path in root.rglob("*"):
                text = path.read_bytes() if path.is_file() else os.readlink(path) if path.is_symlink() else ""
                found[str(path)] = text
        return found

    before = listing()
    yield folder
    assert before.items() <= listing().items(), "something of a stranger is gone"


def test_strangers_are_left_alone(cache: BoundedCache, strangers: Path) -> None:
    cache.limit_bytes = cache.largest = 20_000.0
    for number in range(20):
        assert cache.store(key(number), entry(6000))
    assert [n for n in range(20) if cache.load(key(n), itself)] == [17, 18, 19]


@pytest.mark.parametrize("name", ["text", "folder", "linked", "dangling", "tree", "pipe", "lock"])
def test_key_that_a_stranger_occupies(cache: BoundedCache, strangers: Path, name: str) -> None:
    for _ in range(2):
        found, built = fetch(cache, name)
        assert same(found)
        if name == "lock":
            break
        assert built
        assert "is left alone" in cache.notes[0]
        assert len(cache.notes) == 1


def test_strange_locks(cache: BoundedCache) -> None:
    cache.folder.mkdir(parents=True)
    os.mkfifo(cache.folder / f".{key('a')}.lock")
    (cache.folder / f".{key('b')}.lock").mkdir()
    (cache.folder / f".{key('c')}.lock").symlink_to("nowhere")
    for name in "abc":
        assert same(fetch(cache, name)[0])
        assert os.path.lexists(cache.folder / f".{key(name)}.lock")
    assert not (cache.folder / "nowhere").exists()


# -- bounds ------------------------------------------------------------------------------------------


def test_least_recently_used_goes(cache: BoundedCache) -> None:
    cache.limit_bytes = cache.largest = 3500.0
    for age, name in enumerate("ab"):
        cache.store(key(name), entry(1000))
        os.utime(cache.folder / f"{key(name)}.xpotcache", (age, age))
    assert cache.load(key("a"), itself)
    cache.store(key("c"), entry(1000))
    assert cache.load(key("a"), itself)
    assert cache.load(key("c"), itself)
    assert not cache.load(key("b"), itself)


def test_what_was_read_outlives_its_entry(cache: BoundedCache) -> None:
    fetch(cache)
    found, _ = fetch(cache)
    cache.limit_bytes = cache.largest = 6000.0
    cache.store(key("large"), entry(5500))
    assert not (cache.folder / f"{key('k')}.xpotcache").exists()
    assert same(found)


def test_no_room_keeps_nothing(cache: BoundedCache) -> None:
    cache.limit_bytes = 0
    assert fetch(cache)[1]
    assert fetch(cache)[1]
    assert not cache.folder.exists()
    cache.limit_bytes = 1e6
    cache.largest = 10
    assert fetch(cache)[1]
    assert fetch(cache)[1]
    assert not cache.folder.exists() or not list(cache.folder.iterdir())
    assert cache.notes == ()


def test_abandoned_files_go_when_they_are_old(cache: BoundedCache) -> None:
    cache.folder.mkdir(parents=True)
    names = [f".{key('a')}.lock", f".{key('a')}.{16 * 'b'}.tmp"]
    for name, content in zip(names, (b"", entry_file.MARK + b"half an ent"), strict=True):
        (cache.folder / name).write_bytes(content)
    cache.store(key("x"), entry())
    assert {p.name for p in cache.folder.iterdir()} > set(names)
    old = time.time() - 2 * bounded_cache.PATIENCE_SECONDS
    for name in names:
        os.utime(cache.folder / name, (old, old))
    cache.store(key("y"), entry())
    assert not {p.name for p in cache.folder.iterdir()} & set(names)
