"""The cache of blocks: found again by everything that they depend on, or made again."""

from dataclasses import replace

import numpy as np
import pytest
from snap_cases import small_data
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap.regression import cache
from xpot_snap.regression.build import Problem
from xpot_snap.translate import structures_of
from xpot_snap_model.translate import descriptor_settings

from xpot_core.api import FitRequest, InputError, cache_folder

OPTIONS = SnapOptions(twojmax=2, vweight=0.1)


@pytest.fixture
def data():
    return small_data(9, 2, 2)


def problem_of(data, options=OPTIONS):
    return Problem.of(
        descriptor_settings(options, data.elements, constant=options.constant),
        structures_of(data, {}),
        data.folds,
        [f.group for f in data.frames],
    )


def request(data, folder, **options):
    return FitRequest(OPTIONS.model_copy(update=options), data, folder)


def files():
    return sorted(cache_folder("snap").glob("*"))


def test_second_design_comes_from_disk(data, tmp_path, monkeypatch):
    first = SnapFitter().prepare(request(data, tmp_path))
    (path,) = files()
    assert b"SNAP of In P, twojmax 2" in path.read_bytes()
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
    assert files() == []


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


def test_large_against_the_bound_is_not_kept(data, tmp_path, monkeypatch):
    SnapFitter().prepare(request(data, tmp_path))
    size = files()[0].stat().st_size
    for share in (3.0, 0.0):
        files()[0].unlink() if files() else None
        monkeypatch.setenv("XPOT_SNAP_CACHE_GB", str(share * size / 1e9))
        SnapFitter().prepare(request(data, tmp_path))
        assert files() == []
    monkeypatch.setenv("XPOT_SNAP_CACHE_GB", str(5 * size / 1e9))
    for rcutfac in (4.0, 4.1, 4.2, 4.3, 4.4, 4.5):
        SnapFitter().prepare(request(data, tmp_path, rcutfac=rcutfac))
    assert 3 <= len(files()) <= 5


def test_flipped_bits_change_nothing(data, tmp_path):
    rng = np.random.default_rng(2)
    first = SnapFitter().prepare(request(data, tmp_path)).errors(OPTIONS, leave_out=1)
    notes = 0
    for trial in range(30):
        (path,) = files()
        content = bytearray(path.read_bytes())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content if trial else content[:3000])
        again = SnapFitter().prepare(request(data, tmp_path)).errors(OPTIONS, leave_out=1)
        assert again.train.to_json() == first.train.to_json()
        assert again.validation.to_json() == first.validation.to_json()
        notes += any("was damaged" in note for note in again.notes)
    assert notes > 20


@pytest.mark.parametrize("given", ["2GB", "-1", "nan"])
def test_bound_that_is_no_number_is_told_before_any_trial(given, monkeypatch):
    monkeypatch.setenv("XPOT_SNAP_CACHE_GB", given)
    with pytest.raises(InputError, match=rf"environment: XPOT_SNAP_CACHE_GB = '{given}'") as caught:
        SnapFitter()
    assert "XPOT_SNAP_CACHE_GB=2" in caught.value.remedy


def test_unwritable_folder_is_one_note(data, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "file"))
    design = SnapFitter().prepare(request(data, tmp_path))
    notes = design.errors(OPTIONS).notes
    assert len([n for n in notes if str(tmp_path / "file") in n]) == 1
    assert notes == design.fit(OPTIONS, directory=tmp_path).notes
