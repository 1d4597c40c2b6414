"""A plugin for the tests of searches: validators that look at the toy potential's coefficients."""

from __future__ import annotations

import json
from collections.abc import Iterable

from xpot_core.api import (
    FittedPotential,
    OptionsModel,
    ValidationReport,
    ValidationRequest,
    ValidatorProvider,
    hookimpl,
    option,
)

xpot_api_version = 1


class CutoffOptions(OptionsModel):
    """Options of ``short-enough``."""

    longest: float = option(5.0, "Longest cutoff that passes.", unit="Å", gt=0)


class ShortEnough:
    """Passes potentials with a short cutoff: what costs too much in MD is not wanted."""

    def __init__(self, options: CutoffOptions) -> None:
        self.options = options

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """Read the cutoff from the file."""
        cutoff = json.loads(next(iter(potential.directory.glob("*.json"))).read_text())["cutoff"]
        (request.directory / "seen").write_text(str(cutoff))
        passed = cutoff <= self.options.longest
        reason = "" if passed else "long-cutoff"
        return ValidationReport(passed, f"the cutoff is {cutoff:.2f} Å", {"cost": cutoff**3}, reason=reason)


class Broken:
    """Raises."""

    def __init__(self, options: object) -> None:
        del options

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """Fail."""
        raise RuntimeError("no such thing")


@hookimpl
def xpot_register_validators() -> Iterable[ValidatorProvider]:
    """The validators."""
    module = __name__
    yield ValidatorProvider(
        "short-enough",
        "Short cutoffs only.",
        f"{module}:ShortEnough",
        CutoffOptions,
        effort=2,
        reasons={"long-cutoff": "the cutoff makes MD too slow"},
        cost="cost",
    )
    yield ValidatorProvider("broken-test", "Raises.", f"{module}:Broken")
