"""Options of the fitter ``ace`` as an input of pacemaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.own_words import OwnWords
from xpot_ace.pacemaker.potential_section import LINEAR, potential_section
from xpot_ace.pacemaker.structures import DATA
from xpot_core.api import TrainingData


@dataclass(frozen=True)
class Loss:
    """What a linear fit minimizes, as far as pacemaker does: all its weights in two sums, and a penalty.

    Attributes
    ----------
    energy, force
        Sums of the squared weights of all energies, and of all forces by atom.
    penalty
        On the squares of the coefficients.
    """

    energy: float
    force: float
    penalty: float

    def section(self) -> dict[str, float]:
        """The same up to a factor, with weights of each kind that add up to one."""
        total = self.energy + self.force
        return {"kappa": self.force / total, "L1_coeffs": 0.0, "L2_coeffs": self.penalty / total}


def linear_input(options: AceOptions, data: TrainingData, loss: Loss, functions_file: str) -> dict[str, Any]:
    """The content of ``input.yaml``.

    Parameters
    ----------
    options, data
        Of the fit.
    loss
        What is minimized.
    functions_file
        The functions that were fitted: pacemaker would choose others of the same kind.
    """
    potential = potential_section(options, data.elements, LINEAR)
    if isinstance(options.functions, int):
        potential["functions"]["number_of_functions_per_element"] = options.functions
    return {
        "metadata": OwnWords.of(options, data).section(),
        "potential": {"filename": functions_file, **potential},
        # the folder is told since a variable of the environment would lead elsewhere
        "data": {"filename": DATA, "datapath": "."},
        "fit": {
            "loss": loss.section(),
            # else pacemaker changes the radial functions, too
            "trainable_parameters": "func",
            "optimizer": "BFGS",
            "maxiter": 2000,
        },
        "backend": {"evaluator": "tensorpot", "batch_size": 100, "display_step": 50},
    }
