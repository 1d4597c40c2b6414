"""What XPOT proposes for MACE when it has looked at the data."""

from __future__ import annotations

from typing import Any

_ATOMS_SEEN = 500_000
"""Atoms that a whole training passes: a quarter of an hour of one core with the default network."""
_FEWEST, _MOST = 45, 144
"""Epochs. Small structures cost more than their atoms tell: 100 of five atoms took 5 s an epoch."""
_UNTUNED = (
    "num_radial_basis",
    "num_cutoff_basis",
    "forces_weight",
    "virials_weight",
    "huber_delta",
    "config_type_weights",
    "weight_decay",
    "lr_factor",
    "scheduler_patience",
    "lr_scheduler_gamma",
    "swa_lr",
    "swa_energy_weight",
)
"""What acts with another loss, in another scheduler or stage, or less than the seed of the weights does."""


def propose(*, atoms: int, virials: bool = False, **others: Any) -> dict[str, Any]:
    """Few hyperparameters, and a training that a core ends in a quarter of an hour.

    Parameters
    ----------
    atoms
        Of the training set.
    virials
        Whether any structure has a virial.
    **others
        Facts that are of no use here.
    """
    epochs = min(max(_ATOMS_SEEN // max(atoms, 1), _FEWEST), _MOST)
    found: dict[str, Any] = dict.fromkeys(_UNTUNED)
    found |= {"default_dtype": "float32", "max_num_epochs": 9 * round(epochs / 9)}
    if virials:
        found["loss"] = "stress"
    else:
        found["stress_weight"] = None
    return found
