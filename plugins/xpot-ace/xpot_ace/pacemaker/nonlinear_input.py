"""What an input of pacemaker says of densities and their fit, as options of the fitter ``pacemaker``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xpot_core.api import InputError

LINEAR = {"npot": "FinnisSinclair", "fs_parameters": [1.0, 1.0]}
_FIT = {"optimizer": "optimizer", "maxiter": "maxiter"}
_LOSS = {"kappa": "kappa", "L1_coeffs": "l1_coeffs", "L2_coeffs": "l2_coeffs"}
_BACKEND = {"evaluator": "evaluator", "batch_size": "batch_size"}
_NO_MATTER = {
    "fit": {"callbacks", "min_relative_train_loss_per_iter", "min_relative_test_loss_per_iter"},
    "backend": {
        "batch_size_reduction",
        "batch_size_reduction_factor",
        "display_step",
        "gpu_config",
        "parallel_mode",
    },
}
"""Settings that say when a fit ends early, what it prints and what it runs on."""


def embedding_of(embeddings: Mapping[str, Any]) -> dict[str, Any]:
    """How densities become an energy, the same for all elements; `LINEAR` where the energy is their sum.

    Raises
    ------
    InputError
        If elements differ.
    """
    found = [
        {
            "npot": given.get("npot", "FinnisSinclairShiftedScaled"),
            "fs_parameters": [float(x) for x in given.get("fs_parameters", [1, 1])][
                : 2 * given.get("ndensity", 1)
            ],
        }
        for given in embeddings.values()
    ] or [LINEAR]
    if any(own != found[0] for own in found):
        raise InputError("all elements have the same one here", key="embeddings")
    # without exponents the shift of a single density changes nothing
    linear = found[0]["fs_parameters"] == LINEAR["fs_parameters"]
    return dict(LINEAR) if linear else found[0]


def fit_options(content: Mapping[str, Any], lost: list[str]) -> dict[str, Any]:
    """Options of the fit; what has none and changes it goes to `lost`."""
    found: dict[str, Any] = {}
    fit, backend = dict(content["fit"]), dict(content.get("backend") or {})
    loss = dict(fit.pop("loss", None) or {})
    for section, given, names in (
        ("fit", fit, _FIT),
        ("fit.loss", loss, _LOSS),
        ("backend", backend, _BACKEND),
    ):
        for name, value in given.items():
            if name in names:
                found[names[name]] = value
            elif name not in _NO_MATTER.get(section, ()) and value not in (0, 0.0, None, False):
                lost.append(f"{section}.{name} = {value} has no counterpart.")
    for name in ("kappa", "l1_coeffs", "l2_coeffs"):
        if isinstance(found.get(name), str):  # YAML reads 1e-8 as a text
            found[name] = float(found[name]) if found[name] != "auto" else found[name]
    if found.get("kappa") == "auto":
        lost.append("fit.loss.kappa = auto has no counterpart: 0.3 is taken.")
        del found["kappa"]
    return found
