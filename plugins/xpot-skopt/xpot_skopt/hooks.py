"""What this plugin offers; imports nothing of scikit-optimize."""

from __future__ import annotations

from xpot_core.api import OptimizerProvider, hookimpl
from xpot_skopt.options import ForestOptions, GPOptions, OwnOptions

_CITATION = "T. Head et al., scikit-optimize, doi:10.5281/zenodo.1157319"


@hookimpl
def xpot_register_optimizers() -> list[OptimizerProvider]:
    """`gp`, `skopt-gp` and `skopt-forest`."""
    return [
        OptimizerProvider(
            name="gp",
            summary="Bayesian optimization with a smooth Gaussian process: few trials, many hyperparameters.",
            load="xpot_skopt.own.optimizer:GaussianProcessOptimizer",
            most_parameters=100,
            options=OwnOptions,
            contract="xpot_skopt.contract:OWN",
            packages=("scipy",),
            citation="C. Hvarfner, E. O. Hellsten, L. Nardi, Proc. 41st ICML, PMLR 235, 20793 (2024)",
        ),
        OptimizerProvider(
            name="skopt-gp",
            summary="Bayesian optimization with a Gaussian process: fewest trials, for costly fits.",
            load="xpot_skopt.gp:GPOptimizer",
            most_parameters=100,
            options=GPOptions,
            contract="xpot_skopt.contract:GP",
            packages=("skopt",),
            citation=_CITATION,
        ),
        OptimizerProvider(
            name="skopt-forest",
            summary="Sequential optimization with a random forest or extra trees: robust, for many choices.",
            load="xpot_skopt.forest:ForestOptimizer",
            most_parameters=300,
            options=ForestOptions,
            contract="xpot_skopt.contract:FOREST",
            packages=("skopt",),
            citation=_CITATION,
        ),
    ]
