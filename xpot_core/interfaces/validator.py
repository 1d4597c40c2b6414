"""Validators: physical tests of a potential beyond RMSE."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from xpot_core.types import FittedPotential, ValidationReport, ValidationRequest


@runtime_checkable
class Validator(Protocol):
    """Tests one potential. Made with the validated options as only argument."""

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """Run the test; a bad potential is a verdict, not an exception."""
        ...
