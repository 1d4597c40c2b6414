"""What a physical test gets and gives back.

Units everywhere: eV, Å, eV/Å; virials in eV, positive under compression (``-V * stress`` of ASE).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xpot_core.types.structures import Frame


@dataclass(frozen=True)
class ValidationRequest:
    """What a validator gets beside the potential.

    Attributes
    ----------
    directory
        The only folder that may be written to; it exists.
    frames
        The training frames: starting structures, and references for static tests.
    elements
        Chemical symbols of the whole study, sorted.
    seed
        For whatever is random in the test.
    threads
        How many threads or processes the test may use.
    calculator
        ``"package.module:function"`` that makes an ASE calculator from the `FittedPotential`; a
        child process can import it too. None if no predictor of the format offers one.
    reference_energies
        Energy of the isolated atom in eV per element; empty if not given.
    """

    directory: Path
    frames: tuple[Frame, ...]
    elements: tuple[str, ...]
    seed: int = 0
    threads: int = 1
    calculator: str | None = None
    reference_energies: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationReport:
    """Verdict of a physical test.

    Attributes
    ----------
    passed
        Whether the potential is fit for use by this test.
    summary
        One sentence for the user.
    values
        Named numbers, e.g. ``{"time_to_failure_ps": 0.3}``.
    tables
        Name -> column name -> list of numbers, for figures.
    reason
        Why it did not pass, by one of the ``reasons`` that the provider declares; empty if it passed.
    units
        Name of a value -> its unit; counts and ratios have none.
    """

    passed: bool
    summary: str
    values: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    reason: str = ""
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidatorRow:
    """A report as a study keeps it: plain data, numbers that JSON does not know are None.

    Attributes
    ----------
    validator
        Name of the validator.
    options
        What the test was given, by which values of two studies can be compared; None where not kept.
    passed
        The verdict; None if the validator itself broke.
    summary, values, tables, reason, units
        See `ValidationReport`; tables are None where they were not kept.
    """

    validator: str
    options: Mapping[str, Any] | None = None
    passed: bool | None = None
    summary: str = ""
    values: Mapping[str, float | None] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Sequence[float | None]]] | None = None
    reason: str = ""
    units: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form without what was not kept; ``ValidatorRow(**data)`` reads it."""
        data = asdict(self)
        absent: dict[str, Any] = {"options": None, "tables": None, "reason": "", "units": {}}
        return {k: v for k, v in data.items() if k not in absent or v != absent[k]}
