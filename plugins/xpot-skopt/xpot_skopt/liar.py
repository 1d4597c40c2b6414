"""What `skopt-gp` and `skopt-forest` share as in scikit-optimize: a design of fixed size and the constant liar."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from xpot_core.api import FloatArray, History
from xpot_skopt.options import SkoptOptions
from xpot_skopt.surrogate.base import SurrogateOptimizer

S = TypeVar("S", bound=SkoptOptions)


class LiarOptimizer(SurrogateOptimizer[S]):
    """Pending trials are taken to have the lowest, mean or highest loss."""

    def initial(self, history: History) -> int:
        """As the options say."""
        return self.options.initial

    def pretended(
        self,
        x: FloatArray,
        y: FloatArray,
        allowed: np.ndarray,
        pending: FloatArray,
        history: History,
        index: int,
    ) -> FloatArray:
        """The same loss for all of them."""
        real = y[allowed]
        lie = {"cl_min": real.min, "cl_mean": real.mean, "cl_max": real.max}[self.options.liar]()
        return np.full(len(pending), lie)
