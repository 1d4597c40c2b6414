"""What FitSNAP fits with: least squares is translated, the rest is told or refused."""

from __future__ import annotations

from configparser import ConfigParser
from typing import Any

from xpot_core.api import Findings, InputError
from xpot_fitsnap.importing.values import to_flag, to_number

_NETWORKS = {"PYTORCH", "JAX", "NETWORK", "TENSORFLOWSVD", "OPT"}
_CALCULATORS = {
    "LAMMPSPACE": "is a potential of the atomic cluster expansion: the fitter ace of xpot-ace has such",
    "LAMMPSCUSTOM": "is a neural network on custom descriptors, which no fitter here has",
    "BASIC": "computes no descriptors of SNAP",
}
_LOST = {
    "ARD": "drops columns by their evidence and penalises each of the others on its own, which no fit here does",
    "LASSO": "penalises the absolute values of the coefficients, which no fit here does",
    "MERR": "fits the error of the model with the coefficients by Markov chains, which no fit here does",
}


def refuse_others(config: ConfigParser) -> None:
    """Stop at inputs of other models than linear and quadratic SNAP, with the reason.

    Raises
    ------
    InputError
        If the input fits another model.
    """
    kind = config.get("CALCULATOR", "calculator", fallback="LAMMPSSNAP")
    if kind.upper() != "LAMMPSSNAP":
        reason = _CALCULATORS.get(kind.upper(), "is no calculator that can be translated")
        raise InputError(
            reason, key="CALCULATOR.calculator", value=kind, remedy="translate inputs of LAMMPSSNAP"
        )
    solver = config.get("SOLVER", "solver", fallback="SVD")
    if solver.upper() in _NETWORKS or config.get("CALCULATOR", "nonlinear", fallback="0") == "1":
        raise InputError(
            "fits a neural network on the descriptors, and the fitter snap is linear or quadratic",
            key="SOLVER.solver",
            value=solver,
        )
    style = config.get("REFERENCE", "atom_style", fallback="atomic").lower()
    if style == "spin":
        raise InputError(
            "its structures have magnetic moments that the reference potential needs, and structures here have none",
            key="REFERENCE.atom_style",
            value=style,
        )


def solver_options(config: ConfigParser, findings: Findings) -> dict[str, Any]:
    """Options of the regression; FitSNAP keeps every direction of the data that QR of all rows keeps."""
    solver = config.get("SOLVER", "solver", fallback="SVD").upper()
    options: dict[str, Any] = {"ridge": 0.0, "solver": "qr"}
    alpha = 0.0
    if solver == "RIDGE":
        alpha = to_number(config.get("RIDGE", "alpha", fallback="1.0E-8"), "RIDGE.alpha")
        if to_flag(config.get("EXTRAS", "apply_transpose", fallback="0"), "EXTRAS.apply_transpose"):
            findings.lose(
                "With apply_transpose RIDGE adds alpha to the square of the normal equations, which has no counterpart."
            )
            alpha = 0.0
    elif solver == "ANL":
        alpha = to_number(config.get("SOLVER", "cov_nugget", fallback="0"), "SOLVER.cov_nugget")
        findings.note("ANL: the coefficients are the same; its covariance is not computed in this form.")
    elif solver in _LOST:
        findings.lose(f"{solver} {_LOST[solver]}: the fit is plain least squares.")
    elif solver not in ("SVD", "SCALAPACK"):
        findings.lose(f"Solver {solver} is not translated: the fit is plain weighted least squares.")
    return options | ({"absolute_ridge": alpha} if alpha else {})
