"""Published data with one structure that does not belong: its name stands beside the error that it makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from snap_cases import DATA

from xpot_core.api import StudyResults
from xpot_core.search.loop import Study
from xpot_core.statistics.outliers import outliers
from xpot_core.statistics.predictions import predictions_of
from xpot_core.study_file.read import study_from_dict

INP = DATA / "inp"


@pytest.mark.slow
@pytest.mark.skipif(not INP.is_dir(), reason="reference data absent: set XPOT_DATA to its folder")
def test_indium_with_the_energy_of_indium_phosphide(tmp_path: Path) -> None:
    study = {
        "study": "inp",
        "data": {
            "train": str(INP / "InP_train.xyz"),
            "test": str(INP / "InP_test.xyz"),
            "validation": {"fraction": 0.1},
            "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
        },
        "fitter": {"snap": {"twojmax": 6, "rcutfac": {"min": 5.0, "max": 5.1}, "eweight": 100.0}},
        "optimizer": {"sobol": {}},
        "budget": {"trials": 1},
    }
    Study(study_from_dict(study, tmp_path), tmp_path / "runs").run()
    found = outliers(predictions_of(StudyResults.open("inp", tmp_path / "runs")))
    energies = next(o for o in found if (o.set, o.quantity) == ("test", "energy"))
    assert [s.source for s in energies.structures] == ["InP_test.xyz#3"]  # four atoms, all In
    assert energies.rmse > 20 * energies.without
