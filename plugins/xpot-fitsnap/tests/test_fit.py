"""The fitter, as far as it can be tried without FitSNAP; with it: tests/test_snap_and_fitsnap.py."""

from dataclasses import replace

import numpy as np
import pytest
from xpot_fitsnap import fitter
from xpot_fitsnap.fitter import FitsnapFitter
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.running.run import run_fitsnap
from xpot_lammps_session.testing import small_data
from xpot_linear import fit_factors, target_energies

from xpot_core.api import FitError, FitRequest, InputError


def test_weights_are_those_of_all_frames(tmp_path, monkeypatch):
    """Boltzmann weights: left-out structures keep their say: fold 1 holds the lowest of every group."""
    data = small_data(9, 3, 3)
    low = [
        replace(f, energy=f.energy - 12.0) if fold == 1 else f
        for f, fold in zip(data.frames, data.folds, strict=True)
    ]
    data = replace(data, frames=tuple(low))
    options = FitsnapOptions(boltzmann_temperature=3000.0, eweight=7.0)
    given = []

    def run(job, folder):
        given.extend(record["eweight"] for record in job["records"])
        raise FitError("seen")

    monkeypatch.setattr(fitter, "run_fitsnap", run)
    design = FitsnapFitter().prepare(FitRequest(options, data, tmp_path))
    with pytest.raises(FitError, match="seen"):
        design.fit(options, directory=tmp_path, leave_out=1)
    factors = fit_factors(data, target_energies(data, {}), 3000.0)
    assert given == pytest.approx([7.0 * factors[i].energy for i in data.training_indices(1)])
    assert max(given) < 1.0


def test_what_fitsnap_cannot_do_is_refused_by_the_options():
    with pytest.raises(ValueError, match="FitSNAP always fits constant energies"):
        FitsnapOptions(constant=False, bzero=False)
    with pytest.raises(ValueError, match="no quadratic SNAP with explicit elements"):
        FitsnapOptions(constant=False, chem=True, quadratic=True)


def test_rows_that_fitsnap_cannot_weigh(tmp_path):
    data = small_data(6, 0, 0)
    mask = np.arange(data.frames[2].n_atoms) > 0
    frames = (*data.frames[:2], replace(data.frames[2], force_mask=mask), *data.frames[3:])
    request = FitRequest(FitsnapOptions(), replace(data, frames=frames), tmp_path)
    with pytest.raises(InputError, match="FitSNAP cannot weigh the forces of one structure differently"):
        FitsnapFitter().fit(request)


def test_failing_fitsnap_leaves_its_log(tmp_path):
    with pytest.raises(FitError, match="exit status 1") as caught:
        run_fitsnap({"sections": {}, "records": []}, tmp_path)
    assert "Traceback" in caught.value.log
