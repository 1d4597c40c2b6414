"""What this plugin offers; imports nothing of Optuna."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from xpot_core.api import ImporterProvider, InputError, OptimizerProvider, hookimpl
from xpot_optuna.options import CMAESOptions, GPOptions, NSGA2Options, TPEOptions

_OPTUNA = "T. Akiba et al., Proc. 25th ACM SIGKDD, 2623 (2019)"


@hookimpl
def xpot_register_optimizers() -> list[OptimizerProvider]:
    """`optuna-tpe`, `optuna-cmaes`, `optuna-gp` and `optuna-nsga2`."""
    return [
        OptimizerProvider(
            name="optuna-tpe",
            summary="Multivariate tree of Parzen estimators: cheap, any space, one or several objectives.",
            load="xpot_optuna.samplers:TPEOptimizer",
            options=TPEOptions,
            contract="xpot_optuna.contract:TPE",
            packages=("optuna",),
            citation=_OPTUNA,
            objectives=True,
        ),
        OptimizerProvider(
            name="optuna-cmaes",
            summary="CMA-ES: for numbers, and budgets of several hundred trials.",
            load="xpot_optuna.cmaes:CMAESOptimizer",
            most_parameters=300,
            options=CMAESOptions,
            contract="xpot_optuna.contract:CMAES",
            packages=("cmaes",),
            citation="N. Hansen, A. Ostermeier, Evol. Comput. 9, 159 (2001); " + _OPTUNA,
        ),
        OptimizerProvider(
            name="optuna-gp",
            summary="Optuna's Gaussian process with logEI; needs torch.",
            load="xpot_optuna.gp:GPOptimizer",
            most_parameters=100,
            options=GPOptions,
            contract="xpot_optuna.contract:GP",
            packages=("optuna", "torch"),
            citation=_OPTUNA,
        ),
        OptimizerProvider(
            name="optuna-nsga2",
            summary="NSGA-II: a genetic algorithm for the trade-off between several objectives.",
            load="xpot_optuna.samplers:NSGA2Optimizer",
            options=NSGA2Options,
            contract="xpot_optuna.contract:NSGA2",
            packages=("optuna",),
            citation="K. Deb et al., IEEE Trans. Evol. Comput. 6, 182 (2002); " + _OPTUNA,
            objectives=True,
        ),
    ]


@hookimpl
def xpot_register_importers() -> list[ImporterProvider]:
    """`optuna`."""
    return [
        ImporterProvider(
            name="optuna",
            summary="the trials of a study of Optuna, as a prior",
            load="xpot_optuna.importer:OptunaImporter",
            recognises="xpot_optuna.importer:recognises",
            packages=("optuna",),
            contract="xpot_optuna.contract:IMPORTER",
            citation=_OPTUNA,
        )
    ]


@hookimpl
def xpot_dashboard(directory: Path, port: int, opened: Callable[[str], None]) -> bool:
    """optuna-dashboard."""
    if find_spec("optuna_dashboard") is None:
        raise InputError("optuna-dashboard is not installed", remedy="pip install xpot-optuna[dashboard]")
    from xpot_optuna.dashboard import show

    show(directory, port, opened)
    return True
