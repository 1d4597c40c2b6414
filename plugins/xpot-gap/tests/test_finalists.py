"""Leaving out each structure equals refits without it; standard deviations and leverage of any frames."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from gap_cases import make_data, make_frame, make_options, make_request
from xpot_gap.fitter import GapFitter
from xpot_gap.options import GapOptions
from xpot_gap.regression.design import GapDesign

from xpot_core.api import Frame, LeftOut, TrainingData, UncertainDesign, bare_atoms
from xpot_core.testing.frames import frame as frame_of

pytest.importorskip("quippy")

DATA = Path(os.environ.get("XPOT_DATA", Path(__file__).parents[3] / "../shared/data")) / "zuo2020"
OPTIONS = {
    "descriptors": [
        {"distance_2b": {"cutoff": 4.0, "n_sparse": 8}},
        {"soap": {"cutoff": 4.0, "n_max": 4, "l_max": 3, "n_sparse": 20}},
    ],
    "sigma_energy": {"AIMD-NVT": 0.003, "Elastic": 0.01},
    "sigma_force": 0.05,
    "e0": "average",
    "cache_gb": 0,
}


def odd_data() -> TrainingData:
    """Ten structures in folds of their own, one of them masked and with sigmas, one only for evaluation."""
    data = make_data(11, folds=[*range(5), -2, *range(5, 10)])
    frames = list(data.frames)
    frames[2] = replace(frames[2], force_mask=np.arange(8) > 2, weight=2.0)
    frames[3] = replace(frames[3], energy_sigma=0.05)
    frames[7] = replace(frames[7], virial=None)
    return replace(data, frames=tuple(frames))


def prepared(data: TrainingData, folder: Path, options: GapOptions) -> GapDesign:
    return GapFitter().prepare(make_request(data, folder, options=options))


def deviation_of(design: GapDesign, options: GapOptions, fold: int) -> tuple[float, float]:
    """Energy (eV/atom) and force RMSE (eV/Å) of the fit without a fold of one structure, on this one."""
    alpha = design._solve(options, fold).alpha
    own = design._rows.fold == fold
    residual = (design._trained.kernel @ alpha - design._trained.target)[own]
    kind, n = design._rows.kind[own], design._rows.n_atoms[own][0]
    return float(residual[kind == 0][0] / n), float(np.sqrt(np.mean(residual[kind == 1] ** 2)))


def test_equals_refits(tmp_path: Path) -> None:
    data, options = odd_data(), make_options(**OPTIONS)
    design = prepared(data, tmp_path, options)
    assert isinstance(design, UncertainDesign)
    found = equal_to_refits(design, options, data)
    assert found.frames == data.training_indices()
    assert found.influence.mean() == pytest.approx(1.0)
    assert found.table.total("energy").rmse == pytest.approx(np.sqrt(np.mean(found.energies**2)))


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="reference data absent: set XPOT_DATA to its folder")
def test_equals_refits_on_50_structures(tmp_path: Path) -> None:
    frames = tuple(
        frame_of(bare_atoms(a), a.info["REF_energy"], a.arrays["REF_forces"], source=f"Si_train.xyz#{4 * i}")
        for i, a in enumerate(read(DATA / "Si_train.xyz", ":200:4"))
    )
    data = TrainingData(frames, tuple(range(50)), ("Si",), ("bulk",))
    options = make_options(**{**OPTIONS, "sigma_energy": 0.005})
    found = equal_to_refits(prepared(data, tmp_path, options), options, data)
    assert len(found.frames) == 50


def equal_to_refits(design: GapDesign, options: GapOptions, data: TrainingData) -> LeftOut:
    """What leaving out each frame says, after a comparison with the fit without it."""
    found = design.leave_one_out(options)
    for place, index in enumerate(found.frames):
        energy, force = deviation_of(design, options, data.folds[index])
        assert found.energies[place] == pytest.approx(energy, abs=1e-8)
        assert found.forces[place] == pytest.approx(force, abs=1e-8)
    return found


def squeezed(frame: Frame, factor: float) -> Frame:
    atoms = frame.atoms.copy()
    atoms.set_cell(factor * atoms.cell, scale_atoms=True)
    return Frame(atoms, None, None, None, frame.group, "squeezed")


def test_strange_frames_are_doubted(tmp_path: Path) -> None:
    data, options = make_data(12), make_options(**OPTIONS)
    design = prepared(data, tmp_path, options)
    near, far = make_frame(99, "Elastic"), squeezed(data.frames[0], 0.8)
    found = design.uncertainty(options, [near, far, replace(near, group="unknown")])
    assert found.leverage[1] > 3 * found.leverage[0]
    assert found.energies[1] > 2 * found.energies[0]
    assert found.forces[1].max() > 2 * found.forces[0].max()
    assert found.energies[2] > 0
    assert design.most_informative(options, [near, far], 1) == [1]


def test_variance_is_that_of_the_process(tmp_path: Path) -> None:
    """Of the sparse process without data it is k(x, S) k(S, S)^-1 k(S, x), with data less."""
    # with a jitter that lets normal equations keep their digits
    data, options = make_data(6), make_options(**OPTIONS, sparse_jitter=1e-3)
    design = prepared(data, tmp_path, options)
    variance = design._finalist(options)[1]
    white = np.hstack(list(design._white_rows(variance.factor, data.frames[:2])))
    rows = design._trained.kernel[np.flatnonzero(design._rows.kind == 0)[:2]]
    weighted = np.vstack(list(design._white.weighted_rows(np.sqrt(design._row_weights(options, None)))))
    normal = weighted[:, :-1].T @ weighted[:, :-1] + design._trained.sparse
    expected = np.einsum("ij,ji->i", rows, np.linalg.solve(normal, rows.T)) / 8**2
    first = np.square(white).sum(axis=0)[[0, 25]]
    assert first == pytest.approx(expected, rel=1e-4)
