"""Options of the linear ACE fitter: importable without python-ace."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator
from xpot_linear import LinearOptions

from xpot_ace.potential_options import PotentialOptions, descriptor
from xpot_core.api import PerElement, Range, option


class AceOptions(PotentialOptions, LinearOptions):
    """Linear ACE, fitted by weighted linear least squares."""

    functions: PerElement[int] = descriptor(
        300,
        "Number of functions with an element as central atom, the simplest first: smaller bases are part of "
        "larger ones (pacemaker's number_of_functions_per_element).",
        per="element",
        role="size",
        ge=1,
    )
    functions_used: PerElement[int] | None = option(
        None,
        "How many of these the fit uses, the simplest first; all by default. Costs no new descriptors.",
        per="element",
        stage="regression",
        ge=1,
    )
    angular_weight: float = descriptor(
        0.5,
        "What an angular momentum counts in the complexity of a function, against a radial index: the smaller, the "
        "more angular functions are among the simplest (1 is pacemaker's ladder power_order).",
        unit="",
        tune=Range(0.25, 1.0),
        ge=0.0,
    )
    virials: bool = descriptor(
        True,
        "Compute rows of virials; without them, descriptors take about a third less time.",
        tunable=False,
    )
    ridge: float = option(
        1.0e-10,
        "Ridge penalty on the coefficients, relative to the diagonal of the normal equations: functions of ACE "
        "nearly depend on each other.",
        unit="",
        tune=Range(1.0e-14, 1.0e-6, log=True),
        role="ridge",
        stage="regression",
        ge=0.0,
    )
    smoothness: float = descriptor(
        0.0,
        "Smoothness prior: the ridge of a function grows with this power of its radial and angular indices; "
        "0 is one ridge for all.",
        unit="",
        tune=Range(0.5, 4.0),
        ge=0.0,
    )

    @model_validator(mode="after")
    def _has_rows_of_virials(self) -> Self:
        heaviest = max(self.vweight.values()) if isinstance(self.vweight, dict) else self.vweight
        if heaviest > 0.0 and not self.virials:
            raise ValueError("vweight is above zero, but virials is false")
        return self
