"""Leaving out each structure equals fits without it, for ACE on published data."""

import os
from pathlib import Path

import pytest
from ase.io import read
from xpot_ace.fitter import AceFitter
from xpot_ace.options import AceOptions
from xpot_linear.testing import left_out_by_refits

from xpot_core.api import FitRequest, TrainingData, bare_atoms
from xpot_core.testing.frames import frame

DATA = Path(os.environ.get("XPOT_DATA", Path(__file__).parents[3] / "../shared/data")) / "zuo2020"


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="reference data absent: set XPOT_DATA to its folder")
@pytest.mark.parametrize("ridge", [1e-12, 1e-8])
def test_equals_refits_on_50_structures(ridge, tmp_path):
    options = AceOptions(cutoff=5.0, functions=200, order=3, ridge=ridge, virials=False)
    frames = tuple(
        frame(bare_atoms(a), a.info["REF_energy"], a.arrays["REF_forces"], source=f"Si_train.xyz#{4 * i}")
        for i, a in enumerate(read(DATA / "Si_train.xyz", ":200:4"))
    )
    data = TrainingData(frames, tuple(range(50)), ("Si",), ("bulk",))
    design = AceFitter().prepare(FitRequest(options, data, tmp_path))
    found = design.leave_one_out(options)
    energies, forces = left_out_by_refits(design, options)
    assert found.energies == pytest.approx(energies, abs=1e-8)
    assert found.forces == pytest.approx(forces, abs=1e-8)
