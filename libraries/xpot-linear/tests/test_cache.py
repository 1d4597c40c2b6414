"""The cache of blocks: found again by everything that they depend on, or made again."""

from dataclasses import replace

import numpy as np
import pytest
from linear_cases import small_data
from xpot_linear.blocks.cache import key_of
from xpot_linear.blocks.problem import Problem
from xpot_pair.fitter import PairBasis, PairFitter
from xpot_pair.options import PairOptions

from xpot_core.api import FitRequest, InputError, cache_folder

OPTIONS = PairOptions(cutoff=4.0, order=3, vweight=0.1)


@pytest.fixture
def data():
    return small_data(9, 2, 2)


def problem_of(data):
    return Problem.of(PairBasis(data.elements, 4.0, 3), data)


def request(data, folder, **options):
    return FitRequest(OPTIONS.model_copy(update=options), data, folder)


def files():
    return sorted(cache_folder("pair").glob("*"))


def test_second_design_comes_from_disk(data, tmp_path, monkeypatch):
    first = PairFitter().prepare(request(data, tmp_path))
    (path,) = files()
    assert b"PairBasis, 11 structures" in path.read_bytes()
    monkeypatch.setattr(PairBasis, "rows", lambda *_: pytest.fail("computed again"))
    second = PairFitter().prepare(request(data, tmp_path))
    a, b = first.errors(OPTIONS, leave_out=1), second.errors(OPTIONS, leave_out=1)
    assert a.train.to_json() == b.train.to_json()
    assert a.validation.to_json() == b.validation.to_json()
    # weights do not matter for the descriptors
    PairFitter().prepare(request(data, tmp_path, eweight=3.0))
    monkeypatch.undo()
    final = second.fit(OPTIONS, directory=tmp_path, final=True)
    assert final.metadata["solver"] == "qr"


def test_boltzmann_weights_survive(data, tmp_path):
    a = PairFitter().prepare(request(data, tmp_path, boltzmann_temperature=2000.0))
    b = PairFitter().prepare(request(data, tmp_path, boltzmann_temperature=2000.0))
    assert b.blocks.plain_forces.keys() == a.blocks.plain_forces.keys() != set()
    assert a.errors(OPTIONS).train.to_json() == b.errors(OPTIONS).train.to_json()


def test_off_writes_nothing(data, tmp_path):
    PairFitter().prepare(request(data, tmp_path, cache=False))
    assert files() == []


def moved(frame):
    atoms = frame.atoms.copy()
    atoms.positions += 1e-12
    return replace(frame, atoms=atoms)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, fold=p.fold + 1),
        lambda p: replace(p, groups=("a", "b", "c")),
        lambda p: replace(p, constants=("In", "P")),
        lambda p: replace(p, basis=replace(p.basis, cutoff=4.1)),
        lambda p: replace(p, energies=p.energies + 1.0),
        lambda p: replace(p, factors=[replace(f, energy=2.0) for f in p.factors]),
        lambda p: replace(p, frames=[replace(p.frames[0], forces=None), *p.frames[1:]]),
        lambda p: replace(p, frames=[moved(p.frames[0]), *p.frames[1:]]),
    ],
)
def test_key_depends_on_everything(data, change):
    problem = problem_of(data)
    key, again, changed = (
        key_of(p, p.basis.fingerprint()) for p in (problem, problem_of(data), change(problem))
    )
    assert key == again != changed


def test_large_against_the_bound_is_not_kept(data, tmp_path, monkeypatch):
    PairFitter().prepare(request(data, tmp_path))
    size = files()[0].stat().st_size
    for share in (3.0, 0.0):
        files()[0].unlink() if files() else None
        monkeypatch.setenv("XPOT_PAIR_CACHE_GB", str(share * size / 1e9))
        PairFitter().prepare(request(data, tmp_path))
        assert files() == []
    monkeypatch.setenv("XPOT_PAIR_CACHE_GB", str(5 * size / 1e9))
    for cutoff in (4.0, 4.1, 4.2, 4.3, 4.4, 4.5):
        PairFitter().prepare(request(data, tmp_path, cutoff=cutoff))
    assert 3 <= len(files()) <= 5


def test_flipped_bits_change_nothing(data, tmp_path):
    rng = np.random.default_rng(2)
    first = PairFitter().prepare(request(data, tmp_path)).errors(OPTIONS, leave_out=1)
    notes = 0
    for trial in range(30):
        (path,) = files()
        content = bytearray(path.read_bytes())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content if trial else content[:3000])
        again = PairFitter().prepare(request(data, tmp_path)).errors(OPTIONS, leave_out=1)
        assert again.train.to_json() == first.train.to_json()
        assert again.validation.to_json() == first.validation.to_json()
        notes += any("was damaged" in note for note in again.notes)
    assert notes > 20


@pytest.mark.parametrize("given", ["2GB", "-1", "nan"])
def test_bound_that_is_no_number_is_told_before_any_trial(given, monkeypatch):
    monkeypatch.setenv("XPOT_PAIR_CACHE_GB", given)
    with pytest.raises(InputError, match=rf"environment: XPOT_PAIR_CACHE_GB = '{given}'") as caught:
        PairFitter()
    assert "XPOT_PAIR_CACHE_GB=2" in caught.value.remedy


def test_unwritable_folder_is_one_note(data, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "file"))
    design = PairFitter().prepare(request(data, tmp_path))
    notes = design.errors(OPTIONS).notes
    assert len([n for n in notes if str(tmp_path / "file") in n]) == 1
    assert notes == design.fit(OPTIONS, directory=tmp_path).notes
