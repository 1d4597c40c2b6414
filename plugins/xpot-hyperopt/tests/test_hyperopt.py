"""The hyperopt optimizers keep the contract; what is particular to them."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest
from xpot_hyperopt.optimizer import AnnealOptimizer, TPEOptimizer
from xpot_hyperopt.options import AnnealOptions, TPEOptions

from xpot_core.api import History, Trial, TrialState
from xpot_core.testing.contracts.optimizer import SPACE, OptimizerContract, smooth_loss


class TestTPE(OptimizerContract):
    provider = "hyperopt-tpe"
    options: ClassVar = {"initial": 6}


class TestAnneal(OptimizerContract):
    provider = "hyperopt-anneal"


class TestRandom(OptimizerContract):
    provider = "hyperopt-random"
    learns = False


def test_listing_the_plugin_does_not_import_hyperopt() -> None:
    code = (
        "import sys, xpot_hyperopt.hooks as h; h.xpot_register_optimizers(); "
        "sys.exit('hyperopt' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("optimizer", [TPEOptimizer(TPEOptions(initial=5)), AnnealOptimizer(AnnealOptions())])
def test_only_the_ranks_of_losses_matter(optimizer: TPEOptimizer | AnnealOptimizer) -> None:
    values = [SPACE.from_unit([(i * 0.37 + k * 0.13) % 1 for k in range(len(SPACE))]) for i in range(15)]

    def asked(scale: float) -> object:
        trials = tuple(
            Trial(i, TrialState.COMPLETE, v, loss=scale * smooth_loss(v) ** 3) for i, v in enumerate(values)
        )
        return optimizer.suggest(History(SPACE, trials, seed=2), 2)

    assert asked(1.0) == asked(1e6)
