"""How the conformance kit tests the fitter."""

from __future__ import annotations

from typing import Any

CONTRACT: dict[str, Any] = {
    "tiny_options": {
        "rcut": 4.6,
        "twobody": 4,
        "threebody": 3,
        "threebody_degree": 2,
        "fourbody": 2,
        "fourbody_degree": 1,
    },
}
