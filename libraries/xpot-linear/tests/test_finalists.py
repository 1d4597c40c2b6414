"""Leaving out each frame equals refits without it; intervals cover; selection knows what it has taken."""

from dataclasses import replace

import numpy as np
import pytest
from linear_cases import small_data
from xpot_linear import predict
from xpot_linear.finalists.uncertainty import Calibration
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
        weighted = whites[i] * np.append(30.0, np.ones(18))
        total += weighted @ weighted.T
    return float(np.linalg.slogdet(total)[1])


def test_small_groups_promise_no_more_than_all():
    rng = np.random.default_rng(0)
    calibration = Calibration()
    for group, count, size in (("large", 200, 1.0), ("small", 10, 3.0), ("tiny", 10, 0.3)):
        for _ in range(count):
            calibration.add("force", group, size * rng.normal(size=30), np.ones(30), 0.0)
    every = calibration.scale("force", "unknown")
    assert calibration.scale("force", "large") == pytest.approx(1.0, abs=0.05)
    assert calibration.scale("force", "small") == pytest.approx(3.0, abs=0.3)
    assert calibration.scale("force", "tiny") == every
    assert np.isnan(calibration.scale("energy", "large"))
