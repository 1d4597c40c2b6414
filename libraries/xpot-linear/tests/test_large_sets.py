"""What large sets need: rows in a file, predictions from rows, a word now and then."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from linear_cases import small_data
from xpot_linear import LinearDesign, predict
from xpot_linear.blocks import reduce
from xpot_linear.blocks.force_rows import ForceRows
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.row_file import row_file
from xpot_linear.regression.regression import Regression
from xpot_pair.fitter import PairFitter
from xpot_pair.options import PairOptions

from xpot_core.api import FitRequest, FloatArray, PredictingDesign, TrainingData

OPTIONS = PairOptions(cutoff=5.0, order=4, eweight=30.0, vweight=0.2, cache=False)
IN_FILE = OPTIONS.model_copy(update={"max_matrix_memory": 0.0})
COMPUTED = IN_FILE.model_copy(update={"max_matrix_disk": 0.0})


@pytest.fixture(scope="module")
def data() -> TrainingData:
    plain = small_data(40, 6, 5)
    masked = replace(plain.frames[3], force_mask=np.arange(6) > 2, weight=2.0)
    bare = replace(plain.frames[9], forces=None)
    unknown = replace(plain.frames[11], energy=None, virial=None)
    frames = list(plain.frames)
    frames[3], frames[9], frames[11] = masked, bare, unknown
    return replace(plain, frames=tuple(frames))


def _final(data: TrainingData, folder: Path, options: PairOptions, threads: int = 1) -> LinearDesign:
    design = PairFitter().prepare(FitRequest(options, data, folder, final=True, threads=threads))
    assert isinstance(design, PredictingDesign)
    return design


def _coefficients(design: LinearDesign, options: PairOptions) -> FloatArray:
    return design.solution(options, final=True).coefficients


@pytest.mark.parametrize("cached", [False, True], ids=["computed", "blocks-from-the-cache"])
def test_rows_in_a_file_give_the_same_fit(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    monkeypatch.setattr(ForceRows, "few", False)  # few are kept in memory
    options = IN_FILE.model_copy(update={"cache": cached})
    wanted = _coefficients(_final(data, tmp_path, OPTIONS), OPTIONS)
    if cached:
        PairFitter().prepare(FitRequest(options, data, tmp_path))
    design = _final(data, tmp_path, options)
    assert design.force_rows.file is not None
    assert design.force_rows.file.complete is not cached
    found = _coefficients(design, options)
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)
    assert design.force_rows.file.complete
    np.testing.assert_allclose(
        _coefficients(_final(data, tmp_path, COMPUTED), COMPUTED), wanted, rtol=1e-7, atol=1e-9
    )
    assert list(tmp_path.iterdir()) == []


def test_rows_are_computed_once_where_they_stand_in_a_file(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = _final(data, tmp_path, IN_FILE)
    monkeypatch.setattr(ForceRows, "_computed", lambda rows: pytest.fail("computed anew"))
    monkeypatch.setattr(ForceRows, "few", False)
    design.fit(IN_FILE, directory=tmp_path, final=True)
    design.predictions(IN_FILE)


def test_rows_of_cached_blocks_are_computed_once(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForceRows, "few", False)
    options = OPTIONS.model_copy(update={"cache": True})
    PairFitter().prepare(FitRequest(options, data, tmp_path))
    design = _final(data, tmp_path, options)
    assert design.blocks.matrix is None
    design.fit(options, directory=tmp_path, final=True)
    monkeypatch.setattr(ForceRows, "_computed", lambda rows: pytest.fail("computed anew"))
    design.leave_one_out(options)


@pytest.mark.parametrize("options", [OPTIONS, IN_FILE, COMPUTED], ids=["memory", "file", "computed"])
def test_predictions_are_those_of_the_potential(
    data: TrainingData, tmp_path: Path, options: PairOptions
) -> None:
    design = _final(data, tmp_path, options, threads=2)
    found = design.predictions(options)
    said = predict(design.problem.basis, design.model(design.solution(options, final=True)), data.frames)
    for i, frame in enumerate(data.frames):
        known = (
            frame.force_mask
            if frame.force_mask is not None
            else np.full(frame.n_atoms, frame.forces is not None)
        )
        np.testing.assert_allclose(found.forces[i][known], said.forces[i][known], atol=1e-9)
        assert np.isnan(found.forces[i][~known]).all()
        assert frame.energy is None or found.energies[i] == pytest.approx(said.energies[i], abs=1e-9)
        assert np.isnan(found.energies[i]) == (frame.energy is None)
        if frame.virial is not None and np.isfinite(said.virials[i]).all():
            np.testing.assert_allclose(found.virials[i], said.virials[i], atol=1e-8)


def test_no_file_where_it_does_not_fit(tmp_path: Path) -> None:
    assert row_file(tmp_path, 10**12, 100, 1e18) is None
    assert row_file(tmp_path, 10, 100, 1e3) is None
    assert row_file(tmp_path / "none", 10, 100, 1e9) is None


def test_descriptors_tell_how_far_they_are(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to wait for every task is told; the last words name all atoms."""
    monkeypatch.setattr("xpot_core.system.progress._FIRST", 0.0)
    monkeypatch.setattr("xpot_core.system.progress._BETWEEN", 0.0)
    lines: list[str] = []
    PairFitter().prepare(FitRequest(OPTIONS, data, tmp_path, progress=lines.append))
    atoms = sum(f.n_atoms for f in data.frames)
    assert lines[0] == f"descriptors: atom 0 of {atoms}"
    assert len(lines) == len(reduce.make_tasks(_problem(data, tmp_path)))


def _problem(data: TrainingData, folder: Path) -> Problem:
    return _final(data, folder, OPTIONS).problem


def test_tasks_of_large_sets_are_short(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reduce, "BUFFER_ROWS", 3)
    problem = _problem(data, tmp_path)
    monkeypatch.setattr(reduce, "_TASK_ATOMS", 12)
    sizes = [sum(data.frames[i].n_atoms for i in task.members) for task in reduce.make_tasks(problem)]
    assert max(sizes) <= 12
    assert sum(sizes) == sum(f.n_atoms for f in data.frames)


def test_constants_of_many_frames_take_no_matrix_of_frames(tmp_path: Path) -> None:
    """Directions that no frame tells, of two elements: 20,000 frames must not make a matrix of 3.2 GB."""
    blocks = _final(small_data(12, 0, 0, one_composition=True), tmp_path, OPTIONS).blocks
    wanted = Regression(blocks, 2).free
    many = replace(blocks, energy=replace(blocks.energy, rows=np.tile(blocks.energy.rows, (1700, 1, 1))))
    tracemalloc.start()
    found = Regression(many, 2).free
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(wanted) == 1
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-12)
    assert peak < 20 * many.energy.rows.nbytes
