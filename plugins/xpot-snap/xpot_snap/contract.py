"""How the conformance kit tests the fitter."""

from __future__ import annotations

from typing import Any

CONTRACT: dict[str, Any] = {
    "tiny_options": {"twojmax": 2, "rcutfac": 4.2},
    "other_values": {"sinner": 2.2, "zbl_outer": 4.4},
    "along_with": {
        "wselfall": {"chem": True},
        "sinner": {"dinner": 0.5},
        "dinner": {"sinner": 2.2},
        "zbl_inner": {"reference": "zbl"},
        "zbl_outer": {"reference": "zbl"},
    },
    "label_options": {"virial_sigma": {"vweight": 0.1}},
}
