"""The contract of fitters and of the predictors that read their potentials.

Examples
--------
::

    from xpot_core.testing import FitterContract

    class TestMine(FitterContract):
        provider = "mine"
        tiny_options = {"cutoff": 4.5, "order": 3}
"""

from __future__ import annotations

from xpot_core.testing.rules.continuing import ContinuingRules
from xpot_core.testing.rules.fits import FitRules
from xpot_core.testing.rules.gradients import GradientRules
from xpot_core.testing.rules.labels import LabelRules
from xpot_core.testing.rules.predictions import PredictorRules
from xpot_core.testing.rules.staged_fits import StagedRules
from xpot_core.testing.rules.uncertainty import UncertaintyRules


class FitterContract(
    FitRules, StagedRules, GradientRules, UncertaintyRules, ContinuingRules, LabelRules, PredictorRules
):
    """All rules of a fitter, staged or not, and of its predictor.

    See the bases for attributes: `FitterBench` (``tiny_options``, ``two_element_options``, ``elements``,
    ``predictor``, tolerances), `FitRules` (``other_values``, ``along_with``, ``without_effect``),
    `StagedRules` (``staged_tolerance``), `ContinuingRules` (``continuing_tolerance``), `LabelRules`
    (``label_options``) and `Contract` (``expected_failures``).
    """
