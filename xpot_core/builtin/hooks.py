"""The core's own providers."""

from __future__ import annotations

from xpot_core.builtin.executors.options import LocalOptions, SerialOptions
from xpot_core.builtin.loss_options import EnergyForceOptions
from xpot_core.builtin.optimizer_options import PROVIDERS as OPTIMIZERS
from xpot_core.plugins.hookspecs import hookimpl
from xpot_core.plugins.interfaces.provider import (
    ExecutorProvider,
    LossProvider,
    OptimizerProvider,
    ValidatorProvider,
)
from xpot_core.trial.panel import PANEL, PanelOptions

PAPER = "D. F. Thomas du Toit and V. L. Deringer, J. Chem. Phys. 159, 024803 (2023)"


@hookimpl
def xpot_register_losses() -> list[LossProvider]:
    """The paper's loss."""
    return [
        LossProvider(
            "energy-force",
            "weighted sum of energy and force errors (optionally virials), as in the XPOT paper",
            "xpot_core.builtin.loss:EnergyForceLoss",
            EnergyForceOptions,
            citation=PAPER,
        )
    ]


@hookimpl
def xpot_register_optimizers() -> tuple[OptimizerProvider, ...]:
    """Random, Sobol and grid search."""
    return OPTIMIZERS


@hookimpl
def xpot_register_executors() -> list[ExecutorProvider]:
    """Serial in this process, or worker processes on this machine."""
    return [
        ExecutorProvider(
            "serial",
            "one trial after the other in this process",
            "xpot_core.builtin.executors.serial:SerialExecutor",
            SerialOptions,
            contract="xpot_core.builtin.contracts:SERIAL",
        ),
        ExecutorProvider(
            "local",
            "worker processes on this machine; a crash or a hang costs one trial",
            "xpot_core.builtin.executors.local:LocalExecutor",
            LocalOptions,
        ),
    ]


@hookimpl
def xpot_register_validators() -> list[ValidatorProvider]:
    """The panel of all cheap tests."""
    return [
        ValidatorProvider(
            PANEL,
            "every cheap physical test of the installed plugins that the data allow",
            "xpot_core.builtin.panel:Panel",
            PanelOptions,
            contract="xpot_core.builtin.contracts:PANEL",
        )
    ]
