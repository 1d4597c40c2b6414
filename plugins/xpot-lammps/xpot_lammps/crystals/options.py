"""Options of the static tests of crystals: references and relaxation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator, model_validator

from xpot_core.api import option
from xpot_lammps.process.options import ChildOptions
from xpot_lammps.structures.options import StructureOptions


class ReferenceOptions(ChildOptions):
    """Comparison with numbers of the user."""

    reference: dict[str, float] = option(
        dict, "Value name -> reference, e.g. from DFT or experiment; the names are those of the report."
    )
    tolerance: float = option(
        0.1, "Relative deviation from a reference beyond which the potential has failed.", unit="", gt=0
    )
    tolerances: dict[str, float] = option(dict, "Value name -> its own relative tolerance.")

    @field_validator("tolerances")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0 < v < float("inf") for v in value.values()):
            raise ValueError("tolerances must be greater than 0")
        return value

    units: ClassVar[Mapping[str, str]] = {}
    """Names that `reference` may hold -> unit; a subclass says which."""

    @model_validator(mode="after")
    def _known(self) -> ReferenceOptions:
        for key in (*self.reference, *self.tolerances):
            if self.units and key not in self.units:
                raise ValueError(f"there is no value '{key}' to compare; known: {', '.join(self.units)}")
        return self


class RelaxOptions(ReferenceOptions):
    """Static tests that start from a relaxed structure."""

    structure: StructureOptions = option(
        StructureOptions, "Structure; by default the periodic training frame with the lowest energy per atom."
    )
    relax: bool = option(True, "Whether cell and atoms are relaxed first.")
    max_force: float = option(1e-3, "Largest force when relaxed.", unit="eV/Å", gt=0)
    max_relax_steps: int = option(300, "Steps of a relaxation after which it has failed.", ge=1)
