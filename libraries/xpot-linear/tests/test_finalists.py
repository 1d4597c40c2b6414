"""Leaving out each frame equals refits without it; intervals cover; selection knows what it has taken."""

from dataclasses import replace

import numpy as np
import pytest
from linear_cases import small_data
from xpot_linear import predict
from xpot_linear.finalists.calibration import Calibration
from xpot_pair.fitter import PairFitter
from xpot_pair.options import PairOptions

from xpot_core.api import FitError, FitRequest, UncertainDesign

OPTIONS = PairOptions(cutoff=5.0, order=4, eweight=30.0, vweight=0.2)


@pytest.fixture(scope="module")
def data():
    plain = small_data(50, 4, 5)
    masked = replace(plain.frames[3], force_mask=np.arange(6) > 2, weight=2.0)
    return replace(plain, frames=(*plain.frames[:3], masked, *plain.frames[4:]))


def prepared(data, folder, options=OPTIONS):
    return PairFitter().prepare(FitRequest(options, data, folder))


def without(data, i):
    kept = [k for k in range(len(data.frames)) if k != i]
    return replace(data, frames=tuple(data.frames[k] for k in kept), folds=tuple(data.folds[k] for k in kept))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"max_matrix_memory": 0.0},
        {"vweight": 0.0, "eweight": {"bulk": 0.0, "cluster": 3.0, "strained": 30.0}},
        {"ridge": 1e-3},
        {"absolute_ridge": 0.3},
    ],
    ids=["all", "not-kept", "weights-of-zero", "ridge", "absolute-ridge"],
)
def test_equals_refits(data, tmp_path, changes):
    options = OPTIONS.model_copy(update={**changes, "cache": False, "solver": "qr"})
    design = prepared(data, tmp_path, options)
    assert isinstance(design, UncertainDesign)
    found = design.leave_one_out(options)
    assert found.frames == tuple(range(50))
    for place in range(0, 50, 7 if changes else 1):
        frame = data.frames[place]
        refit = prepared(without(data, place), tmp_path, options)
        said = predict(design.problem.basis, refit.model(refit.solution(options)), [frame])
        error = (said.energies[0] - frame.energy) / frame.n_atoms
        assert found.energies[place] == pytest.approx(error, abs=1e-8)
        deviation = said.forces[0] - frame.forces
        if frame.force_mask is not None:
            deviation = deviation[frame.force_mask]
        assert found.forces[place] == pytest.approx(np.sqrt(np.mean(deviation**2)), abs=1e-8)
    assert found.table.total("energy").rmse == pytest.approx(np.sqrt(np.mean(found.energies**2)))
    assert found.influence.mean() == pytest.approx(1.0)


def test_a_frame_that_alone_decides_is_solved_anew(tmp_path):
    """One composition but for one frame: without it, the constants are not known apart."""
    data = small_data(20, 0, 0, one_composition=True)
    odd = data.frames[7].atoms.copy()
    odd.symbols[:] = "In"
    data = replace(data, frames=(*data.frames[:7], replace(data.frames[7], atoms=odd), *data.frames[8:]))
    found = prepared(data, tmp_path).leave_one_out(OPTIONS)
    assert np.isfinite(found.energies).all()
    assert np.flatnonzero(~np.isfinite(found.influence)).tolist() == [7]


def test_singular_fits_have_no_variance(tmp_path):
    options = OPTIONS.model_copy(update={"order": 20})
    design = prepared(small_data(2, 0, 0), tmp_path, options)
    with pytest.raises(FitError, match="variances are infinite"):
        design.leave_one_out(options)


def test_intervals_cover_what_was_left_out(data, tmp_path):
    design = prepared(data, tmp_path)
    left_out = design.leave_one_out(OPTIONS)
    found = design.uncertainty(OPTIONS, [data.frames[i] for i in left_out.frames])
    # the fit has seen these frames, so its standard deviations are a little small for them
    within = np.abs(left_out.energies) <= 1.6449 * found.energies
    assert 0.8 <= within.mean() <= 1.0
    assert all(f.shape == (6, 3) for f in found.forces)
    assert (found.leverage > 0).all()
    assert found.leverage.max() <= 2.0 + 1e-9  # the frame of weight 2 among them, else 1


def squeezed(frame, factor):
    atoms = frame.atoms.copy()
    atoms.set_cell(factor * np.array(atoms.cell), scale_atoms=True)
    return replace(frame, atoms=atoms)


def test_strange_frames_have_leverage(data, tmp_path):
    frame = data.frames[0]
    design = prepared(data, tmp_path)
    near, far = design.uncertainty(OPTIONS, [frame, squeezed(frame, 0.6)]).leverage
    assert near <= 1.0 < far


def test_selection_counts_what_it_has_taken_as_known(data, tmp_path):
    design = prepared(data, tmp_path)
    frames = [squeezed(data.frames[0], f) for f in (0.62, 0.6, 0.6, 0.6)]
    frames += [squeezed(data.frames[1], 0.7), data.frames[5]]
    taken = design.most_informative(OPTIONS, frames, 4)
    assert len(set(taken)) == 4
    assert taken[0] == 1
    for n in range(1, 5):
        every = {
            k: log_volume(design, frames, [*taken[: n - 1], k]) for k in range(6) if k not in taken[: n - 1]
        }
        assert every[taken[n - 1]] == pytest.approx(max(every.values()))


def log_volume(design, frames, taken):
    """log det of the normal matrix with some frames more, from their rows."""
    whites = list(design._white(design._finalist(OPTIONS)[1].factor, frames))
    total = np.eye(len(whites[0]))
    for i in taken:
        weighted = whites[i] * np.append(30.0, np.full(18, 18**-0.5))
        total += weighted @ weighted.T
    return float(np.linalg.slogdet(total)[1])


def calibrated(groups, slope=1.0, floor=0.0, frames=200):
    """Deviations of frames of small and large variance: ``size * (floor + slope * variance) ** 0.5``."""
    rng = np.random.default_rng(0)
    calibration = Calibration()
    for group, count, size in groups:
        for i in range(count or frames):
            variance = np.full(30, 0.01 if i % 2 else 1.0)
            deviation = size * np.sqrt(floor + slope * variance) * rng.normal(size=30)
            calibration.add("force", group, deviation, variance)
    return calibration


@pytest.mark.parametrize("floor", [0.0, 0.1, 1.0])
def test_intervals_are_as_wide_as_deviations_of_the_same_variance(floor):
    """Hot and cold frames of one group: each has its own width, where deviations follow the variance."""
    width = calibrated([("all", 0, 3.0)], floor=floor).width("force", "all")
    for variance in (0.01, 1.0):
        assert width(np.array(variance)) == pytest.approx(3.0 * (floor + variance) ** 0.5, rel=0.06)


def test_large_variances_are_doubted_where_deviations_do_not_tell():
    width = calibrated([("all", 0, 1.0)], slope=0.0, floor=1.0).width("force", "all")
    assert width(np.array(0.01)) == pytest.approx(1.0, rel=0.1)
    assert width(np.array(1e4)) > 30.0


def test_rows_that_symmetry_fixes_tell_nothing():
    calibration = calibrated([("all", 0, 1.0)])
    before = calibration.width("force", "all")
    for _ in range(400):
        calibration.add("force", "all", np.full(30, 1e-15), np.full(30, 1e-28))
    after = calibration.width("force", "all")
    assert after.scale == pytest.approx(before.scale, rel=1e-3)
    assert after.least == pytest.approx(before.least)


def test_small_groups_borrow():
    calibration = calibrated([("large", 0, 1.0), ("small", 9, 3.0), ("tiny", 3, 3.0)])
    at = np.array(1.0)
    assert calibration.width("force", "large")(at) == pytest.approx(1.0, rel=0.05)
    assert calibration.width("force", "small")(at) == pytest.approx(3.0, rel=0.15)
    assert 1.2 < calibration.width("force", "tiny")(at) < 3.0
    assert calibration.width("force", "unknown")(at) == pytest.approx(1.0, rel=0.1)
    assert np.isnan(calibration.width("energy", "large")(at))


def test_exact_fits_have_intervals_of_no_width():
    calibration = Calibration()
    for variance in (0.0, 1.0):
        calibration.add("force", "a", np.zeros(3), np.full(3, variance))
        assert calibration.width("force", "a")(np.array(1.0)) == 0.0
