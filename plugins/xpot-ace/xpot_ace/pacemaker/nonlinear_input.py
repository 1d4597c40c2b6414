"""What an input of pacemaker says of densities and their fit, as options of the fitter ``pacemaker``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from xpot_core.api import Findings, InputError

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
_REASONS = {
    "weighting": "weights go by group, boltzmann_temperature by energy",
    "repulsion": "set inner_cutoff_type, r_in, delta_in and core_repulsion",
}


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


def lose_the_rest(section: str, given: Mapping[str, Any], known: Collection[str], findings: Findings) -> None:
    """Report settings of a section that are on, change the fit and are not known here."""
    for name, value in given.items():
        if name not in known and name not in _NO_MATTER.get(section, ()) and value not in (0, None, False):
            reason = f": {_REASONS[name]}" if name in _REASONS else ""
            findings.lose(f"{section}.{name} = {value} has no counterpart{reason}.")


def number_of(value: Any) -> Any:
    """YAML reads 1e-8 as a text."""
    try:
        return float(value)
    except ValueError:
        return value


def fit_options(content: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """Options of the fit of densities; what has none and changes it is lost."""
    found: dict[str, Any] = {}
    fit, backend = dict(content["fit"]), dict(content.get("backend") or {})
    loss = dict(fit.pop("loss", None) or {})
    for section, given, names in (
        ("fit", fit, _FIT),
        ("fit.loss", loss, _LOSS),
        ("backend", backend, _BACKEND),
    ):
        found |= {names[name]: value for name, value in given.items() if name in names}
        lose_the_rest(section, given, names, findings)
    found |= {name: number_of(found[name]) for name in ("kappa", "l1_coeffs", "l2_coeffs") if name in found}
    if found.get("kappa") == "auto":
        findings.lose("fit.loss.kappa = auto has no counterpart: 0.3 is taken.")
        del found["kappa"]
    return found
