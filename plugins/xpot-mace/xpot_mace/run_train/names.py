"""Which options of the fitter are arguments of ``mace_run_train`` under the same name."""

from __future__ import annotations

from xpot_mace.options import MaceOptions

OWN = (
    "best_epoch",
    "device",
    "seed",
    "E0s",
    "config_type_weights",
    "radial_MLP",
    "ema",
    "amsgrad",
    "clip_grad",
)
"""Options that are written in another form, or not at all."""
SAME = tuple(name for name in MaceOptions.model_fields if name not in OWN)
"""Options that stand in a configuration as they are; null is left out."""
FLAGS = ("ema", "amsgrad", "pair_repulsion")
"""Arguments without a value."""
KEYS = {
    "energy_key": "REF_energy",
    "forces_key": "REF_forces",
    "stress_key": "REF_stress",
    "virials_key": "REF_virials",
}
"""Where the structure files have reference values."""
