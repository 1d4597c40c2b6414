"""The cache of blocks: found again, bounded, never half an entry."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from snap_cases import small_data
from xpot_snap import cache
from xpot_snap.build import Problem
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap.translate import descriptor_settings, structures_of

from xpot_core.api import FitRequest, InputError

OPTIONS = SnapOptions(twojmax=2, vweight=0.1)


@pytest.fixture
def data():
    return small_data(9, 2, 2)


def problem_of(data, options=OPTIONS):
    return Problem.of(
        descriptor_settings(options, data.elements),
        structures_of(data, {}),
        data.folds,
        [f.group for f in data.frames],
    )


def request(data, folder, **options):
    return FitRequest(OPTIONS.model_copy(update=options), data, folder)


def test_second_design_comes_from_disk(data, tmp_path, monkeypatch):
    first = SnapFitter().prepare(request(data, tmp_path))
    assert len(cache.entries()) == 1
    assert "SNAP of In P, twojmax 2" in cache.entries()[0].summary
    monkeypatch.setattr(Problem, "blocks", lambda *a, **k: pytest.fail("computed again"))
    second = SnapFitter().prepare(request(data, tmp_path))
    a, b = first.errors(OPTIONS, leave_out=1), second.errors(OPTIONS, leave_out=1)
    assert a.train.to_json() == b.train.to_json()
    assert a.validation.to_json() == b.validation.to_json()
    # weights do not matter for the descriptors
    SnapFitter().prepare(request(data, tmp_path, eweight=3.0))
    final = second.fit(OPTIONS, directory=tmp_path, final=True)
    assert final.metadata["solver"] == "qr"


def test_boltzmann_weights_survive(data, tmp_path):
    a = SnapFitter().prepare(request(data, tmp_path, boltzmann_temperature=2000.0))
    b = SnapFitter().prepare(request(data, tmp_path, boltzmann_temperature=2000.0))
    assert b.blocks.plain_forces.keys() == a.blocks.plain_forces.keys() != set()
    assert a.errors(OPTIONS).train.to_json() == b.errors(OPTIONS).train.to_json()


def test_off_writes_nothing(data, tmp_path):
    SnapFitter().prepare(request(data, tmp_path, cache=False))
    assert cache.entries() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, fold=p.fold + 1),
        lambda p: replace(p, groups=("a", "b", "c")),
        lambda p: replace(p, weights=p.weights * 2),
        lambda p: replace(p, settings=replace(p.settings, rcutfac=4.1)),
        lambda p: replace(p, structures=[replace(p.structures[0], energy=0.0), *p.structures[1:]]),
        lambda p: replace(p, structures=[replace(p.structures[0], forces=None), *p.structures[1:]]),
        lambda p: replace(
            p,
            structures=[
                replace(p.structures[0], positions=p.structures[0].positions + 1e-12),
                *p.structures[1:],
            ],
        ),
    ],
)
def test_key_depends_on_everything(data, change):
    problem = problem_of(data)
    assert cache.key_of(problem) == cache.key_of(problem_of(data))
    assert cache.key_of(change(problem)) != cache.key_of(problem)


def test_oldest_entries_go(data, monkeypatch):
    problem = problem_of(data)
    blocks = problem.blocks()
    assert cache.store("a", blocks, problem)
    size = cache.entries()[0].size
    monkeypatch.setenv("XPOT_SNAP_CACHE_GB", str(4.5 * size / 1e9))
    for i, key in enumerate("bcde"):
        os.utime(cache.folder() / "a.npz")  # used just now
        assert cache.store(key, blocks, problem)
        for old in cache.folder().glob("[b-e].npz"):
            os.utime(old, (1000 + i, 1000 + i)) if old.stem < key else None
    left = {e.key for e in cache.entries()}
    assert "a" in left
    assert "e" in left
    assert len(left) == 4
    monkeypatch.setenv("XPOT_SNAP_CACHE_GB", str(size / 1e9))
    assert not cache.store("f", blocks, problem)
    assert cache.clear() == 4 * size
    assert cache.entries() == []


def test_damaged_entry_is_removed(data):
    problem = problem_of(data)
    cache.store("a", problem.blocks(), problem)
    path = cache.folder() / "a.npz"
    path.write_bytes(path.read_bytes()[:2000])
    assert cache.entries()[0].summary == "damaged"
    assert cache.load("a") is None
    assert not path.exists()


@pytest.mark.parametrize(
    "error", [OSError(24, "Too many open files"), PermissionError(13, "Permission denied")]
)
def test_entry_that_cannot_be_read_now_stays(data, monkeypatch, error):
    problem = problem_of(data)
    cache.store("a", problem.blocks(), problem)

    def refuse(*arguments, **words):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(np, "load", refuse)
        assert cache.load("a") is None
    # nor does it matter whether its time can be set
    monkeypatch.setattr(os, "utime", refuse)
    assert cache.load("a") is not None


@pytest.mark.parametrize("given", ["2GB", "-1", "nan"])
def test_bound_that_is_no_number_is_told_before_any_trial(given, monkeypatch):
    monkeypatch.setenv("XPOT_SNAP_CACHE_GB", given)
    with pytest.raises(InputError, match=rf"environment: XPOT_SNAP_CACHE_GB = '{given}'") as caught:
        SnapFitter()
    assert "XPOT_SNAP_CACHE_GB=2" in caught.value.remedy


def test_unwritable_folder_is_no_error(data, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "file"))
    problem = problem_of(data)
    assert not cache.store("a", problem.blocks(), problem)
    assert cache.load("a") is None


def test_many_processes_at_once(data):
    script = (
        "from snap_cases import small_data\nfrom test_cache import problem_of\nfrom xpot_snap import cache\n"
        "p = problem_of(small_data(9, 2, 2))\nb = p.blocks()\n"
        "for i in range(30):\n    cache.store(f'k{i % 5}', b, p)\n    found = cache.load(f'k{(i + 1) % 5}')\n"
        "    assert found is None or (found.packed == b.packed).all()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    problem = problem_of(data)
    cache.store("k9", problem.blocks(), problem)
    environment["XPOT_SNAP_CACHE_GB"] = str(4.2 * cache.entries()[0].size / 1e9)

    def run(_):
        return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)

    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(run, range(3)):
            assert done.returncode == 0, done.stderr
    assert np.all([e.summary != "damaged" for e in cache.entries()])
