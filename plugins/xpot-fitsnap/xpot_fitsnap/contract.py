"""How the conformance kit tests the fitter and the importer."""

from __future__ import annotations

from typing import Any

_WHOLE = "FitSNAP weighs structures as a whole: masks and sigmas that differ inside one are refused"

FITTER: dict[str, Any] = {
    "tiny_options": {"twojmax": 2, "rcutfac": 4.2},
    "other_values": {"sinner": 2.2, "zbl_outer": 4.4},
    "along_with": {
        "wselfall": {"chem": True},
        "sinner": {"dinner": 0.5},
        "dinner": {"sinner": 2.2},
        "zbl_inner": {"reference": "zbl"},
        "zbl_outer": {"reference": "zbl"},
    },
    "without_effect": {
        "bzero": "the constant energy of each element makes up for it, without a ridge exactly"
    },
    "label_options": {"virial_sigma": {"vweight": 0.1}},
    "expected_failures": {
        "declared_frame_labels_have_an_effect": _WHOLE,
        "masked_forces_have_no_effect": _WHOLE,
        "staged_fit_weighs_frames_as_the_plain_one": _WHOLE,
    },
}

IMPORTER: dict[str, Any] = {
    "fitter": "snap",
    "source": "si.in",
    "files": {
        "si.in": """[BISPECTRUM]
numTypes = 1
twojmax = 4
rcutfac = 4.6
rfac0 = 0.99
rmin0 = 0.0
wj = 1.0
radelem = 0.5
type = Si

[CALCULATOR]
calculator = LAMMPSSNAP
energy = 1
force = 1
stress = 0

[ESHIFT]
Si = 0.0

[SOLVER]
solver = SVD

[SCRAPER]
scraper = XYZ

[PATH]
dataPath = xyz

[REFERENCE]
units = metal
pair_style = zero 10.0
pair_coeff = * *

[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
all = 1.0 0.0 100.0 1.0 0.0
""",
    },
}
