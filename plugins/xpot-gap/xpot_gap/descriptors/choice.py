"""One entry of the list of descriptors."""

from __future__ import annotations

from pydantic import model_validator

from xpot_core.api import OptionsModel, option
from xpot_gap.descriptors.distances import Angle3b, Distance2b, DistanceNb
from xpot_gap.descriptors.other import Other
from xpot_gap.descriptors.soap import Soap
from xpot_gap.descriptors.soap_turbo import SoapTurbo

Chosen = Distance2b | Angle3b | DistanceNb | Soap | SoapTurbo | Other


class DescriptorChoice(OptionsModel):
    """One entry of the descriptor list: exactly one kind is given."""

    distance_2b: Distance2b | None = option(None, "Pair distances.", stage="descriptors")
    angle_3b: Angle3b | None = option(None, "Triplets around a central atom.", stage="descriptors")
    distance_Nb: DistanceNb | None = option(None, "Distances in a cluster.", stage="descriptors")
    soap: Soap | None = option(None, "Smooth overlap of atomic positions.", stage="descriptors")
    soap_turbo: SoapTurbo | None = option(None, "SOAP with a separable basis.", stage="descriptors")
    other: Other | None = option(None, "A further descriptor of gap_fit.", stage="descriptors")

    @model_validator(mode="after")
    def _exactly_one(self) -> DescriptorChoice:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise ValueError(
                f"each entry names exactly one descriptor ({kinds}); this one names {len(given)}"
            )
        return self

    @property
    def kind(self) -> str:
        """Name of the descriptor as gap_fit knows it."""
        return self.other.name if self.other is not None else self._given

    @property
    def chosen(self) -> Chosen:
        """Options of the descriptor."""
        chosen: Chosen = getattr(self, self._given)
        return chosen

    @property
    def _given(self) -> str:
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)
