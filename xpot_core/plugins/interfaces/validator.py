"""Validators: physical tests of a potential beyond RMSE."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from xpot_core.types.fitting import FittedPotential
from xpot_core.types.structures import TrainingData
from xpot_core.types.validating import ValidationReport, ValidationRequest


@runtime_checkable
class Validator(Protocol):
    """Tests one potential. Made with the validated options as only argument."""

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """Run the test; a bad potential is a verdict, not an exception."""
        ...


@runtime_checkable
class CheckedValidator(Validator, Protocol):
    """A validator that says before a search whether its options go with the data."""

    def check(self, data: TrainingData) -> None:
        """Look for what the test will need; ``data`` holds the training frames.

        Raises
        ------
        InputError
            If the test cannot run on these data, e.g. for a group that no frame belongs to.
        """
        ...
