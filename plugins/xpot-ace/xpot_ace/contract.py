"""How the conformance kit tests the fitter."""

from __future__ import annotations

from typing import Any

_SHAPE = {"nradmax_by_orders": [5, 2], "lmax_by_orders": [0, 1]}
_INSIDE = {"r_in": 2.4, "delta_in": 0.3}
"""An inner cutoff that reaches into the bonds of the kit's structures."""
_CHEBYSHEV = {"radbase": "ChebExpCos"}
"""The radial functions with parameters."""
_ELEMENTS = "the kit has two elements"
_FIRST = "functions of one neighbour have no angular momentum"

CONTRACT: dict[str, Any] = {
    "tiny_options": {
        "cutoff": 4.5,
        "order": 2,
        "functions": 60,
        "functions_used": 50,
        "ridge": 1e-9,
        **_SHAPE,
        "binary": _SHAPE,
    },
    "two_element_options": {"bonds": [{"pair": ["Ge", "Si"], "cutoff": 4.2}]},
    "other_values": {"functions": 8, "functions_used": 8, "angular_weight": 1.0, "r_in": 2.4},
    "along_with": {
        # so few that it is open which
        "angular_weight": {"functions": 14, "functions_used": 14},
        "radparameters": _CHEBYSHEV,
        "dcut": _CHEBYSHEV,
        "bonds.0.radparameters": _CHEBYSHEV,
        "bonds.0.dcut": _CHEBYSHEV,
        "r_in": {"delta_in": 0.3},
        "delta_in": _INSIDE,
        "core_repulsion.0": _INSIDE,
        "core_repulsion.1": _INSIDE,
    },
    "without_effect": {
        "lmax_by_orders.0": _FIRST,
        "binary.lmax_by_orders.0": _FIRST,
        **{f"ternary.nradmax_by_orders.{i}": _ELEMENTS for i in range(5)},
        **{f"ternary.lmax_by_orders.{i}": _ELEMENTS for i in range(5)},
    },
    "label_options": {"virial_sigma": {"vweight": 0.1}},
}

PACEMAKER: dict[str, Any] = {
    "tiny_options": {
        "evaluator": "pyace",
        "cutoff": 4.5,
        "order": 2,
        "functions": 8,
        "nradmax_by_orders": [3, 1],
        "lmax_by_orders": [0, 1],
        "binary": {"nradmax_by_orders": [3, 1], "lmax_by_orders": [0, 1]},
        "maxiter": 3,
    },
}

IMPORTER: dict[str, Any] = {
    "fitter": "pacemaker",
    "source": "input.yaml",
    "files": {
        "input.yaml": """cutoff: 6.0
seed: 42
potential:
  deltaSplineBins: 0.001
  elements: [In, P]
  embeddings:
    ALL: {npot: FinnisSinclairShiftedScaled, fs_parameters: [1, 1, 1, 0.5], ndensity: 2}
  bonds:
    ALL: {radbase: SBessel, radparameters: [5.25], rcut: 6.0, dcut: 0.01, NameOfCutoffFunction: cos}
    InP: {rcut: 5.0}
  functions:
    number_of_functions_per_element: 300
    UNARY: {nradmax_by_orders: [15, 6, 4, 3], lmax_by_orders: [0, 3, 3, 2]}
    BINARY: {nradmax_by_orders: [15, 6, 3, 2], lmax_by_orders: [0, 3, 2, 1]}
data: {filename: data.pckl.gzip, test_size: 0.05, reference_energy: {In: -0.2, P: -0.4}}
fit:
  loss: {kappa: 0.3, L1_coeffs: 1e-8, L2_coeffs: 1e-8}
  weighting: {type: EnergyBasedWeightingPolicy, DElow: 1.0, DEup: 10.0}
backend: {evaluator: tensorpot}
""",
    },
}
