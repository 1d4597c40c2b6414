"""How the conformance kit tests the fitter and the importer."""

from __future__ import annotations

from typing import Any

_TWO_LAYERS = {"num_interactions": 2}
_STRESS = {"loss": "stress"}
_PLATEAU = {"scheduler_patience": 0, "lr": 0.1, "max_num_epochs": 5, "best_epoch": False}
"""A learning rate that is too high, so that epochs without a gain come at once."""
_EXPONENTIAL = {"scheduler": "ExponentialLR"}
_STAGE_TWO = {"start_swa": 1}

CONTRACT: dict[str, Any] = {
    "tiny_options": {
        "r_max": 4.0,
        "num_channels": 4,
        "num_interactions": 1,
        "max_ell": 1,
        "radial_MLP": [8],
        "MLP_irreps": "4x0e",
        "batch_size": 2,
        "lr": 0.05,
        "energy_weight": 1000.0,
        "max_num_epochs": 6,
        "device": "cpu",
    },
    "other_values": {
        "weight_decay": 1.0,
        "max_num_epochs": 3,
        "energy_weight": 1.0,
        # in so few steps the average remembers no more anyway
        "ema_decay": 0.2,
        "scheduler_patience": 0,
    },
    "along_with": {
        "max_L": _TWO_LAYERS,
        "stress_weight": _STRESS,
        "virials_weight": {"loss": "virials"},
        "huber_delta": {"loss": "huber"},
        "lr_factor": _PLATEAU,
        "scheduler_patience": _PLATEAU,
        "lr_scheduler_gamma": _EXPONENTIAL,
        "swa_lr": _STAGE_TWO,
        "swa_energy_weight": _STAGE_TWO,
    },
}

IMPORTER: dict[str, Any] = {
    "fitter": "mace",
    "source": "config.yaml",
    "files": {
        "config.yaml": """name: si
train_file: train.xyz
valid_fraction: 0.1
energy_key: REF_energy
forces_key: REF_forces
E0s: "{14: -158.5}"
model: MACE
r_max: 4.5
hidden_irreps: 16x0e
num_interactions: 2
batch_size: 5
ema: true
max_num_epochs: 50
""",
    },
}
