"""`skopt-forest`: sequential optimization with decision trees, as forest_minimize does it."""

from __future__ import annotations

from typing import Any

import numpy as np
from skopt.learning import ExtraTreesRegressor, RandomForestRegressor

from xpot_core.api import FloatArray, History, seed_for
from xpot_skopt.acquisition import acquisition
from xpot_skopt.liar import LiarOptimizer
from xpot_skopt.options import ForestOptions
from xpot_skopt.surrogate.chance import Chance, Predicted, order
from xpot_skopt.surrogate.encoding import Encoder


class ForestOptimizer(LiarOptimizer[ForestOptions]):
    """Extra trees or a random forest; the spread of the trees is the uncertainty."""

    def fit(self, x: FloatArray, y: FloatArray, n_finished: int, history: History, index: int) -> Any:
        """Grow the forest on all rows."""
        kind = ExtraTreesRegressor if self.options.model == "ET" else RandomForestRegressor
        forest = kind(
            n_estimators=self.options.trees,
            min_samples_leaf=self.options.min_samples_leaf,
            random_state=seed_for(history, index, "forest"),
        )
        return forest.fit(x, y)

    def maximise(
        self,
        model: Any,
        encoder: Encoder,
        points: FloatArray,
        y: FloatArray,
        rng: np.random.Generator,
        chance: Chance | None,
    ) -> FloatArray:
        """The best candidate: a forest is piecewise constant, there is no gradient to follow."""
        features = encoder.features(points)
        function = acquisition(self.options.acquisition, self.options, y, chance)
        values = function(features, Predicted(model, features))
        best: FloatArray = points[order(values)[0]]
        return best
