"""What a linear input of pacemaker says of its fit, as options of the fitter ``ace``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase.io import read

from xpot_ace.pacemaker.nonlinear_input import lose_the_rest, number_of
from xpot_core.api import Findings

_FUNCTIONS_ALONE = ("func", ["func"])
_WAY = {
    *("trainable_parameters", "optimizer", "maxiter", "options", "fit_cycles", "ladder_step", "ladder_type"),
    *("noise_relative_sigma", "noise_absolute_sigma", "randomize_func_coeffs", "early_stopping_patience"),
}
"""Settings of the way to a minimum that is found here at once."""
_RADIAL = {"w0_rad", "w1_rad", "w2_rad", "w_orth"}
"""Penalties on radial functions, which are constant where these are not fitted."""


def linear_fit(
    content: Mapping[str, Any], elements: Sequence[str], files: Sequence[Path], findings: Findings
) -> dict[str, Any]:
    """Options whose sum of squares is pacemaker's loss up to a factor.

    pacemaker's loss is (1 - kappa) times the mean square of the energies by atom, kappa times the squares of the forces
    by atom, and the penalty: means become sums by the numbers of structures and atoms.

    Parameters
    ----------
    content
        The input.
    elements
        Of the potential.
    files
        Where the structures may stand in a format that ASE reads.
    findings
        Gets what is lost.
    """
    fit = dict(content["fit"])
    loss = dict(fit.pop("loss", None) or {})
    trainable = fit.get("trainable_parameters")
    if isinstance(trainable, Mapping) and set(trainable) == {"ALL"}:
        trainable = trainable["ALL"]
    if trainable not in _FUNCTIONS_ALONE:
        findings.lose(
            "fit.trainable_parameters: pacemaker fits the radial functions, too, unless it is func; here they stay as "
            "they are."
        )
    lose_the_rest("fit", fit, _WAY, findings)
    lose_the_rest("fit.loss", loss, {"kappa", "L2_coeffs", *_RADIAL}, findings)
    findings.note("pacemaker approaches by iterations what is solved here at once: the minimum of its loss.")
    return {
        "ridge": 0.0,
        **_energies(content["data"].get("reference_energy"), elements, findings),
        **_weights(loss, files, findings),
    }


def _weights(loss: Mapping[str, Any], files: Sequence[Path], findings: Findings) -> dict[str, float]:
    kappa, penalty = number_of(loss.get("kappa", 0.0)), number_of(loss.get("L2_coeffs", 0.0))
    if isinstance(kappa, str):
        findings.lose(f"fit.loss.kappa = {kappa} has no counterpart.")
        kappa = None
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        if kappa or penalty or kappa is None:
            findings.lose(
                f"fit.loss: kappa and L2_coeffs need the numbers of structures and atoms: write {files[0]} first."
                if files
                else "fit.loss: kappa and L2_coeffs need the numbers of structures and atoms: name the data."
            )
            return {}
        return {"eweight": 1.0, "fweight": 0.0}
    frames = read(file, ":")
    atoms = sum(map(len, frames))
    found = {"absolute_ridge": penalty * len(frames)} if penalty else {}
    if kappa is not None:
        found["eweight"] = math.sqrt(1.0 - kappa)
        found["fweight"] = math.sqrt(kappa * len(frames) / atoms)
    return found


def _energies(given: Any, elements: Sequence[str], findings: Findings) -> dict[str, Any]:
    """Pacemaker subtracts energies of single atoms, and fits no constant."""
    if isinstance(given, str):
        findings.lose(
            f"data.reference_energy = {given} has no counterpart: a constant per element is fitted; give a mapping."
        )
        return {}
    if given is None:
        findings.note("There is no data.reference_energy: write energy_corrected as the energies.")
    if isinstance(given, Mapping):
        shift = float(given.get("shift", 0.0))
        energies = {e: float(given.get(e, 0.0)) - shift for e in elements}
    else:
        energies = dict.fromkeys(elements, float(given or 0.0))
    return {"energy_shift": energies, "constant": False}
