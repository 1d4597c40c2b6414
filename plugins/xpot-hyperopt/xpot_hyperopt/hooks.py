"""What this plugin offers; imports nothing of hyperopt."""

from __future__ import annotations

from xpot_core.api import OptimizerProvider, hookimpl
from xpot_hyperopt.options import AnnealOptions, RandomOptions, TPEOptions

_CITATION = "J. Bergstra, D. Yamins, D. D. Cox, Proc. 30th Int. Conf. Machine Learning, 115 (2013)"


@hookimpl
def xpot_register_optimizers() -> list[OptimizerProvider]:
    """`hyperopt-tpe`, `hyperopt-anneal` and `hyperopt-random`."""
    return [
        OptimizerProvider(
            name="hyperopt-tpe",
            summary="Tree of Parzen estimators, one hyperparameter at a time: cheap, robust.",
            load="xpot_hyperopt.optimizer:TPEOptimizer",
            options=TPEOptions,
            contract="xpot_hyperopt.contract:TPE",
            packages=("hyperopt",),
            citation=_CITATION,
        ),
        OptimizerProvider(
            name="hyperopt-anneal",
            summary="Random steps from good trials, shorter as trials are added.",
            load="xpot_hyperopt.optimizer:AnnealOptimizer",
            options=AnnealOptions,
            packages=("hyperopt",),
            citation=_CITATION,
        ),
        OptimizerProvider(
            name="hyperopt-random",
            summary="hyperopt's random search, to compare with its other optimizers.",
            load="xpot_hyperopt.optimizer:RandomOptimizer",
            options=RandomOptions,
            contract="xpot_hyperopt.contract:RANDOM",
            packages=("hyperopt",),
            citation=_CITATION,
        ),
    ]
