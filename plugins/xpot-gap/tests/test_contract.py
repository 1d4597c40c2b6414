"""The conformance kit's rules for fitters and predictors."""

from __future__ import annotations

from typing import ClassVar

import pytest

from xpot_core.testing import FitterContract

pytest.importorskip("quippy")

SMALL = {"n_sparse": 6}


@pytest.mark.slow
class TestGap(FitterContract):
    provider = "gap"
    tiny_options: ClassVar = {
        "descriptors": [
            {"distance_2b": {"cutoff": 4.0, **SMALL}},
            {"soap": {"cutoff": 4.0, "n_max": 3, "l_max": 2, **SMALL}},
        ],
        "e0": "average",
        "sigma_energy": 0.01,
        "sigma_force": 0.1,
    }
    # The kit's group "small" has two distinct environments of each species (its cell of two like atoms is
    # centrosymmetric, and gap_fit counts equal environments once): from 6 to 7 nothing can change.
    other_values: ClassVar = {"descriptors.1.soap.n_sparse": 1}
    expected_failures: ClassVar = {
        "leave_out_equals_a_fit_without_these_frames": "sparse points and e0 are chosen once, from the "
        "training frames of all folds; the README says so",
    }
