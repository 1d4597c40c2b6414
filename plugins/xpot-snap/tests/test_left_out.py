"""Leaving out each structure equals fits without it, for quadratic SNAP on published data."""

import pytest
from snap_cases import DATA, needs_data
from xpot_lammps_session.testing import frames_from, training_data
from xpot_linear.testing import left_out_by_refits
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions

from xpot_core.api import FitRequest


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize("ridge", [0.0, 1e-12, 1e-8])
def test_equals_refits_on_50_structures(ridge, tmp_path):
    options = SnapOptions(twojmax=6, quadratic=True, rcutfac=4.6, rfac0=0.7, ridge=ridge)
    frames = frames_from(DATA / "zuo2020" / "Si_train.xyz", 4)[:50]
    design = SnapFitter().prepare(FitRequest(options, training_data(frames, folds=50), tmp_path))
    found = design.leave_one_out(options)
    energies, forces = left_out_by_refits(design, options)
    assert found.energies == pytest.approx(energies, abs=1e-8)
    assert found.forces == pytest.approx(forces, abs=1e-8)
