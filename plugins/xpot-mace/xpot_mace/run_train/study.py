"""A study file of the arguments of ``mace_run_train``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from xpot_core.api import ImportedStudy, InputError, validate_options
from xpot_mace.options import MaceOptions
from xpot_mace.run_train.names import FLAGS, KEYS, SAME

_THEIR_DEFAULTS = {
    "num_channels": 128,
    "max_L": 1,
    "correlation": 3,
    "max_ell": 3,
    "ema": False,
    "max_num_epochs": 2048,
    "device": "cpu",
}
"""Where mace's defaults are not ours."""
_ELSEWHERE = {
    *("train_file", "valid_file", "valid_fraction", "test_file", "E0s", "config_type_weights", "radial_MLP"),
    *("hidden_irreps", "clip_grad", "swa", "multiheads_finetuning", "force_mh_ft_lr", "atomic_numbers"),
    *("device", "seed", *FLAGS, *KEYS),
}
_NO_MATTER = {
    *(
        "name",
        "work_dir",
        "log_dir",
        "model_dir",
        "checkpoints_dir",
        "results_dir",
        "downloads_dir",
        "log_level",
    ),
    *("plot", "plot_frequency", "plot_interaction_e", "error_table", "num_workers", "pin_memory", "launcher"),
    *("wandb", "wandb_dir", "wandb_project", "wandb_entity", "wandb_name", "wandb_log_hypers", "distributed"),
    *("save_cpu", "save_all_checkpoints", "keep_checkpoints", "restart_latest", "eval_interval", "dry_run"),
    *(
        "enable_cueq",
        "only_cueq",
        "enable_oeq",
        "compute_forces",
        "compute_stress",
        "compute_avg_num_neighbors",
    ),
    *("skip_evaluate_heads", "dipole_key", "charges_key", "head_key", "polarizability_key"),
}
"""Arguments that change no model, or only how fast it comes."""


def study_of(found: Mapping[str, Any]) -> ImportedStudy:
    """The study, what was translated how, and what has no counterpart.

    Raises
    ------
    InputError
        If a value is not what mace takes.
    """
    notes = ["Made from mace_run_train: say what is to be tuned, and by which rungs of max_num_epochs."]
    given = {**_THEIR_DEFAULTS, **found}
    options: dict[str, Any] = {name: given[name] for name in SAME if name in given}
    if "hidden_irreps" in found and not {"num_channels", "max_L"} <= set(found):
        options["num_channels"], options["max_L"] = _channels(str(found["hidden_irreps"]))
    for name in FLAGS:
        if name in given:
            options[name] = bool(given[name])
    for name in ("radial_MLP", "device", "seed"):
        if name in given:
            options[name] = given[name]
    if "clip_grad" in given:
        options["clip_grad"] = None if float(given["clip_grad"]) > 1e29 else float(given["clip_grad"])
    options["E0s"] = _energies(given.get("E0s"))
    if (weights := _weights(given.get("config_type_weights"))) is not None:
        options["config_type_weights"] = weights
    if given.get("swa") is True and "start_swa" not in given:
        options["start_swa"] = max(1, int(options["max_num_epochs"]) // 4 * 3)
        notes.append(
            "start_swa is counted here: a quarter of the epochs is left for stage two, as mace does."
        )
    lost = _fine_tuning(given, options, notes)
    numbers = {n for n, field in MaceOptions.model_fields.items() if field.annotation is float}
    options = {n: float(v) if n in numbers and isinstance(v, int) else v for n, v in options.items()}
    validate_options(MaceOptions, options)
    if found.get("patience") is not None and int(found["patience"]) < int(options["max_num_epochs"]):
        lost.append(f"patience: {found['patience']}; stop_early ends what is worse than the study's median")
    other = sorted(set(found) - set(SAME) - _ELSEWHERE - _NO_MATTER - {"patience"})
    theirs = _their_defaults(other) if other else {}
    lost[:0] = [f"{n}: {found[n]!r}" for n in other if n not in theirs or str(theirs[n]) != str(found[n])]
    study = {"study": "from-mace", "data": _data(given, notes), "fitter": {"mace": options}}
    return ImportedStudy(study, tuple(notes), tuple(lost))


def _their_defaults(names: Iterable[str]) -> dict[str, Any]:
    """Defaults of arguments of ``mace_run_train``; none where mace is not installed."""
    try:
        from mace.tools import build_default_arg_parser
    except ImportError:
        return {}
    parser = build_default_arg_parser()
    return {name: parser.get_default(name) for name in names}


def _channels(irreps: str) -> tuple[int, int]:
    """Channels and highest angular momentum of ``32x0e + 32x1o``."""
    parts = re.findall(r"(\d+)x(\d+)[eo]", irreps)
    channels = {int(count) for count, _ in parts}
    if len(channels) != 1 or sorted(int(ell) for _, ell in parts) != list(range(len(parts))):
        raise InputError(
            "should have the same channels for each angular momentum from 0 on",
            key="hidden_irreps",
            value=irreps,
        )
    return channels.pop(), len(parts) - 1


def _energies(given: Any) -> Any:
    if given is None:
        return "isolated"
    if isinstance(given, str) and given.endswith(".json"):
        try:
            given = json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read: {error}", key="E0s", value=given) from error
    if not isinstance(given, Mapping):
        return given
    try:
        return {chemical_symbols[int(number)]: float(energy) for number, energy in given.items()}
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(
            "should map atomic numbers to energies in eV", key="E0s", value=dict(given)
        ) from error


def _weights(given: Any) -> Any:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InputError("should map config types to weights", key="config_type_weights", value=given)
    weights = {str(group): float(weight) for group, weight in given.items()}
    return 1.0 if weights == {"Default": 1.0} else weights


def _fine_tuning(given: Mapping[str, Any], options: dict[str, Any], notes: list[str]) -> list[str]:
    """Correct what mace does by itself when it starts from a given model; returns what is lost."""
    if "foundation_model" not in given:
        return []
    if given.get("multiheads_finetuning", True) is False:
        options.pop("pt_train_file", None)
    elif "pt_train_file" in given and not given.get("force_mh_ft_lr", False):
        options |= {"lr": 1e-4, "ema": True, "ema_decay": 0.99999}
        notes.append(
            "With replayed structures mace takes lr 0.0001 and ema_decay 0.99999, whatever it is told."
        )
    if not Path(str(given["foundation_model"])).suffix:
        return [f"foundation_model: {given['foundation_model']} is downloaded by mace; name a file"]
    return []


def _data(given: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"train": given["train_file"]}
    if "valid_file" in given:
        data["validation"] = {"file": given["valid_file"]}
    else:
        data["validation"] = {"fraction": float(given.get("valid_fraction", 0.1))}
        notes.append("The validation structures are drawn at random, but not the ones that mace draws.")
    if "test_file" in given:
        data["test"] = given["test_file"]
    keys = {name: given.get(name, default) for name, default in KEYS.items()}
    data["keys"] = {
        "energy": keys["energy_key"],
        "forces": keys["forces_key"],
        "virial": keys["virials_key"],
        "stress": keys["stress_key"],
        "weight": "config_weight",
    }
    return data
