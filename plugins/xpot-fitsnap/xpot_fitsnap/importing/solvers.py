"""What FitSNAP fits with: least squares is translated, the rest is told or refused."""

from __future__ import annotations

from configparser import ConfigParser
from typing import Any

from xpot_core.api import InputError

_NETWORKS = {"PYTORCH", "JAX", "NETWORK", "TENSORFLOWSVD", "OPT"}
_CALCULATORS = {
    "LAMMPSPACE": "is a potential of the atomic cluster expansion: the fitter ace of xpot-ace has such",
    "LAMMPSCUSTOM": "is a neural network on custom descriptors, which no fitter here has",
    "BASIC": "computes no descriptors of SNAP",
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


def solver_options(config: ConfigParser, notes: list[str], lost: list[str]) -> dict[str, Any]:
    """Options of the regression; FitSNAP keeps every direction of the data that QR of all rows keeps."""
    solver = config.get("SOLVER", "solver", fallback="SVD").upper()
    nugget = float(config.get("SOLVER", "cov_nugget", fallback="0"))
    if solver == "RIDGE" or (solver == "ANL" and nugget):
        alpha = config.get("RIDGE", "alpha", fallback="1.0E-8") if solver == "RIDGE" else nugget
        lost.append(
            f"{solver} adds {alpha} to the diagonal of the normal equations; option ridge is a part of that "
            "diagonal, so it is 0 here: the fit is plain least squares."
        )
    elif solver == "ANL":
        notes.append(
            "ANL has the coefficients of least squares; its covariance is not computed in this form."
        )
    elif solver == "ARD":
        lost.append(
            "ARD drops columns by their evidence, which has no counterpart: the fit is plain least squares."
        )
    elif solver not in ("SVD", "SCALAPACK"):
        lost.append(f"Solver {solver} is not translated: the fit is plain weighted least squares.")
    return {"ridge": 0.0, "solver": "qr"}
