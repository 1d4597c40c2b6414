"""For optimizers: the search space, the trials in it, and helpers for both."""

from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.common import __all__ as _common
from xpot_core.optimize.observations import (
    Observation,
    Observations,
    Proposed,
    observe,
    own_trials,
    rng_for,
    seed_for,
)
from xpot_core.plugins.interfaces import Optimizer, OptimizerProvider
from xpot_core.space.history import History
from xpot_core.space.parameters import Choice, Float, Int, Parameter, Space
from xpot_core.types.trials import Candidate, Trial, TrialState

__all__ = [
    "Candidate",
    "Choice",
    "Float",
    "History",
    "Int",
    "Observation",
    "Observations",
    "Optimizer",
    "OptimizerProvider",
    "Parameter",
    "Proposed",
    "Space",
    "Trial",
    "TrialState",
    "observe",
    "own_trials",
    "rng_for",
    "seed_for",
    *_common,
]
