"""How the conformance kit tests the importer."""

from __future__ import annotations

from typing import Any

IMPORTER: dict[str, Any] = {
    "fitter": "snap",
    "source": "si.hjson",
    "files": {
        "si.hjson": """{
    xpot: {"fitting_executable": "fitsnap3", "project_name": "p", "sweep_name": "si", "alpha": 0.7}
    "[BISPECTRUM]": {
        numTypes: 1
        twojmax: 4
        type: Si
        rcutfac: skopt.space.Real(3, 6)
    }
    "[GROUPS]": {
        group_sections: name training_size testing_size eweight fweight vweight
        group_types: str float float float float float
        bulk: [1.0, 0.0, "skopt.space.Real(10, 1000, 'log-uniform')", 1, 1e-8]
    }
}
"""
    },
}
