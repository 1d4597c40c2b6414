"""A cache on a disk that is full, read-only or gone, asked by several processes, killed at work."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cache_cases import entry, fetch, itself, key, only_file, same

from xpot_core.api import BoundedCache, CacheEntry
from xpot_core.system.cache import bounded_cache


@pytest.fixture(params=[False, True], ids=["memory", "mapped"])
def cache(tmp_path: Path, request: pytest.FixtureRequest) -> BoundedCache:
    return BoundedCache(tmp_path / "cache" / "mine", 1e6, mapped=request.param)


# -- a disk that does not take part ------------------------------------------------------------------


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "in", Path("/dev/null/xpot"), Path("/proc/xpot")):
        cache = BoundedCache(folder, 1e6)
        for _ in range(2):
            found, built = fetch(cache)
            assert built
            assert same(found)
            assert len(cache.notes) == 1
            assert str(folder) in cache.notes[0]
    assert (tmp_path / "file").read_text() == "x"


def test_folder_that_vanishes_is_made_again(cache: BoundedCache) -> None:
    for _ in range(2):
        assert fetch(cache)[1]
        only_file(cache).unlink()
        cache.folder.rmdir()
        cache.folder.parent.rmdir()
    # in the middle of it

    def build() -> CacheEntry:
        for path in cache.folder.iterdir():
            path.unlink()
        cache.folder.rmdir()
        return entry()

    assert same(cache.fetch(key("k"), build, itself, itself))
    assert not fetch(cache)[1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_write_that_fails_keeps_nothing(
    cache: BoundedCache, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        assert same(fetch(cache)[0])
        assert os.strerror(number) in cache.notes[0]
    assert list(cache.folder.iterdir()) == []
    assert fetch(cache)[1]
    assert not fetch(cache)[1]


def test_disk_that_is_full(tmp_path: Path) -> None:
    """Files may not grow beyond a size: the real write fails half-way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    cache = BoundedCache(tmp_path / "cache", 1e6)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        assert same(fetch(cache)[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert "nothing is kept" in cache.notes[0]
    assert list(cache.folder.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), MemoryError()])
def test_entry_that_cannot_be_read_now_stays(
    cache: BoundedCache, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fetch(cache)

    def refuse(*arguments: object, **words: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(bounded_cache, "read_entry", refuse)
        assert cache.load(key("k"), itself) is None
    # nor does it matter whether its time can be set
    error = PermissionError(errno.EPERM, "Operation not permitted")
    monkeypatch.setattr(os, "utime", refuse)
    assert same(cache.load(key("k"), itself))


READ_ONLY = """
import sys, subprocess
folder = sys.argv[1]
done = subprocess.run(f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}", shell=True)
if done.returncode:
    sys.exit(77)
from cache_cases import *
cache = BoundedCache(Path(folder), 1e6)
found, built = fetch(cache)
assert not built and same(found) and cache.notes == (), "a read-only cache is read"
found, built = fetch(cache, "other")
assert built and same(found)
assert "Read-only file system" in cache.notes[0], cache.notes
"""


def python(code: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    command = [*before, sys.executable, "-c", code, *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_read_only_file_system(tmp_path: Path) -> None:
    fetch(BoundedCache(tmp_path / "cache", 1e6))
    try:
        process = python(READ_ONLY, str(tmp_path / "cache"), before=("unshare", "--mount", "--map-root-user"))
    except FileNotFoundError:
        pytest.skip("no unshare here")
    out, _ = process.communicate(timeout=60)
    if process.returncode == 77 or "unshare:" in out:
        pytest.skip("this machine lets us mount nothing")
    assert process.returncode == 0, out


# -- several processes -------------------------------------------------------------------------------


def test_built_once_for_all(cache: BoundedCache) -> None:
    built = []

    def build() -> CacheEntry:
        built.append(1)
        time.sleep(0.2)
        return entry()

    def want(_: int) -> bool:
        return same(cache.fetch(key("k"), build, itself, itself))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(want, range(4)))
    assert len(built) == 1
    assert only_file(cache).suffix == ".xpotcache", "the lock is removed"


def test_build_that_fails_holds_nobody_up(cache: BoundedCache) -> None:
    def fail() -> CacheEntry:
        raise RuntimeError("no convergence")

    with pytest.raises(RuntimeError, match="no convergence"):
        cache.fetch(key("k"), fail, itself, itself)
    assert list(cache.folder.iterdir()) == []
    assert fetch(cache)[1]


def test_platform_without_locks(cache: BoundedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> bool:
        raise OSError("no locks here")

    monkeypatch.setattr(bounded_cache, "try_lock", refuse)
    assert fetch(cache)[1]
    assert not fetch(cache)[1]


def test_owner_that_is_silent_does_not_hang_others(
    cache: BoundedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_cache, "PATIENCE_SECONDS", 0.2)
    with bounded_cache._locked(cache.folder, key("k")):
        assert same(fetch(cache)[0])


RACE = """
import sys
from cache_cases import *
cache = BoundedCache(Path(sys.argv[1]), 22_000, mapped=sys.argv[2] == "1")
for i in range(60):
    found, _ = fetch(cache, i % 5)
    assert same(found)
    assert cache.notes == (), cache.notes
"""


def test_processes_race(tmp_path: Path) -> None:
    processes = [python(RACE, str(tmp_path / "cache"), str(number % 2)) for number in range(3)]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
    left = list((tmp_path / "cache").iterdir())
    assert all(p.suffix == ".xpotcache" for p in left)
    assert all(bounded_cache.is_entry(p) for p in left)


KILLED = """
import sys
from cache_cases import *
big = CacheEntry("big", {"x": np.ones(4_000_000)})
cache = BoundedCache(Path(sys.argv[1]), 1e9)
print("ready", flush=True)
while True:
    cache.store(key("k"), big)
"""


def test_kill_in_the_middle_leaves_no_half_entry(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cache = BoundedCache(tmp_path / "cache", 1e9)
    for _ in range(4):
        process = python(KILLED, str(cache.folder))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.15))
        process.kill()
        process.communicate()
        found = cache.load(key("k"), itself)
        assert found is None or (found.arrays["x"] == 1.0).all()
        assert cache.notes == ()
    assert cache.store(key("k"), entry())
    leftover = [p for p in cache.folder.iterdir() if p.suffix == ".tmp"]
    for path in leftover:
        os.utime(path, (1, 1))
    assert cache.store(key("k"), entry())
    assert only_file(cache).suffix == ".xpotcache"
