"""The configuration of ``mace_run_train`` for options of the fitter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ase.data import atomic_numbers

from xpot_core.api import resolve
from xpot_mace.options import MaceOptions
from xpot_mace.run_train.names import FLAGS, KEYS, SAME

TRAIN, VALID, CONFIG = "train.xyz", "valid.xyz", "config.yaml"


def configuration(
    options: MaceOptions,
    *,
    elements: tuple[str, ...],
    groups: tuple[str, ...],
    energies: Mapping[str, float] | None,
    seed: int,
    device: str,
    valid_file: str | None = VALID,
) -> dict[str, Any]:
    """Argument -> value, as ``mace_run_train --config`` reads them.

    Parameters
    ----------
    elements
        All elements of the study: the model knows those, whatever the files hold.
    groups
        Groups with a weight of their own; empty where the files have the weights.
    energies
        Element -> energy of a single atom in eV; None for those of the foundation model.
    seed
        Where the options have none.
    device
        ``cpu`` or ``cuda``.
    valid_file
        None lets mace hold out structures itself.
    """
    found: dict[str, Any] = {
        "name": "mace",
        "train_file": TRAIN,
        **({"valid_file": valid_file} if valid_file else {}),
        **KEYS,
        # "{14: -158.5}": mace reads dictionaries as text of Python
        "E0s": "foundation"
        if energies is None
        else repr({int(atomic_numbers[e]): float(energies[e]) for e in elements}),
        "atomic_numbers": repr([int(atomic_numbers[e]) for e in elements]),
        "device": device,
        "seed": seed if options.seed is None else options.seed,
        "radial_MLP": repr(list(options.radial_MLP)),
    }
    if groups:
        weights = {group: float(resolve(options.config_type_weights, group)) for group in groups}
        found["config_type_weights"] = repr(weights)
    for name in SAME:
        value = getattr(options, name)
        if name not in FLAGS and value is not None:
            found[name] = value
    for name in FLAGS:
        if getattr(options, name):
            found[name] = True
    # mace's own default is the one number that its command line cannot turn off
    found["clip_grad"] = 1e30 if options.clip_grad is None else options.clip_grad
    if options.start_swa is not None:
        found["swa"] = True
    if options.foundation_model is not None:
        found["multiheads_finetuning"] = options.pt_train_file is not None
        # otherwise mace takes another learning rate than it is told
        found["force_mh_ft_lr"] = True
    return found
