"""Staged fits: errors without a potential, processes, fits that are (nearly) singular."""

from dataclasses import replace

import numpy as np
import pytest
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_lammps_session.testing import GROUPS, small_data
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions

from xpot_core.api import FitRequest, error_table

OPTIONS = SnapOptions(
    twojmax=4,
    rcutfac=4.2,
    eweight={"bulk": 30.0, "cluster": 5.0, "strained": 12.0},
    fweight={"bulk": 1.0, "cluster": 0.3, "strained": 2.0},
    vweight={"bulk": 0.2, "cluster": 0.0, "strained": 0.05},
    cache=False,
)


@pytest.fixture(scope="module")
def data():
    return small_data()


def prepared(data, folder, **request):
    return SnapFitter().prepare(FitRequest(OPTIONS, data, folder, **request))


def rmses(table):
    return [table.total(q).rmse for q in ("energy", "energy_sqrt", "force", "virial")]


@pytest.mark.parametrize("leave_out", [None, 1])
def test_errors_equal_lammps_predictions(data, leave_out, tmp_path):
    options = OPTIONS.model_copy(update={"reference": "zbl", "zbl_inner": 1.2, "zbl_outer": 2.0})
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    potential = design.fit(options, directory=tmp_path, leave_out=leave_out)
    errors = design.errors(options, leave_out=leave_out)
    for frames, table in (
        (data.training(leave_out).frames, errors.train),
        (data.evaluation(leave_out).frames, errors.validation),
    ):
        expected = error_table(LammpsPredictor().predict(potential, frames, directory=tmp_path), frames)
        assert rmses(table) == pytest.approx(rmses(expected), rel=1e-6)
        assert set(table.groups) == set(expected.groups)
        for quantity, row in expected.sums.items():
            for group, sums in row.items():
                assert table.sums[quantity][group].count == sums.count


def test_two_processes_give_the_same_bits(data, tmp_path):
    blocks, other = (prepared(data, tmp_path, threads=n).blocks for n in (1, 2))
    assert other.keys == blocks.keys
    assert np.array_equal(other.packed, blocks.packed)
    assert np.array_equal(other.matrix, blocks.matrix)
    assert np.array_equal(other.virial.rows, blocks.virial.rows)


def test_refit_of_a_nearly_singular_trial_is_the_potential_that_was_judged(data, tmp_path):
    # weights so far apart that QR still has full rank and the normal equations do not
    apart = {"bulk": 1.0, "cluster": 1e-6, "strained": 1e-6}
    changes = {"quadratic": True, "eweight": apart, "fweight": apart, "vweight": apart}
    options = OPTIONS.model_copy(update=changes)
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    quick = design.solution(options)
    refitted = design.solution(options, final=True)
    exact = design.solution(options, solver="qr")
    assert (quick.method, refitted.method, exact.method) == ("cholesky", "qr", "qr")
    assert quick.ridge > 0.0 == exact.ridge
    assert refitted.note == quick.note
    assert refitted.rank == quick.rank < exact.rank
    judged, delivered, other = (
        np.array(rmses(design.regression.errors(s.coefficients)[0])) for s in (quick, refitted, exact)
    )
    assert delivered == pytest.approx(judged, rel=1e-4)
    assert np.abs(other / judged - 1.0).max() > 0.1


def test_group_with_one_structure_is_singular_alone(data, tmp_path):
    zero = dict.fromkeys(GROUPS, 0.0)
    options = OPTIONS.model_copy(update={"eweight": {**zero, "bulk": 1.0}, "fweight": zero, "vweight": zero})
    kept = [i for i, f in enumerate(data.frames) if data.folds[i] >= 0 and (f.group != "bulk" or i == 0)]
    one = replace(data, frames=tuple(data.frames[i] for i in kept), folds=tuple(data.folds[i] for i in kept))
    design = SnapFitter().prepare(FitRequest(options, one, tmp_path))
    errors = design.errors(options)
    assert any("singular" in note for note in errors.notes)
    fitted = design.fit(options, directory=tmp_path, final=True)
    assert fitted.metadata["rank"] == 1
    assert any("singular" in note for note in fitted.notes)
