"""Options of the fitter ``fitsnap``: those of SNAP's descriptors and weights, as far as FitSNAP has them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, model_validator
from xpot_linear import WeightOptions
from xpot_snap_model.options import SnapModelOptions

from xpot_core.api import validate_options


class FitsnapOptions(WeightOptions, SnapModelOptions):
    """SNAP and quadratic SNAP as FitSNAP fits them."""

    @classmethod
    def of(cls, options: BaseModel) -> FitsnapOptions:
        """The same fit, from the options of another fitter of SNAP.

        Raises
        ------
        InputError
            If FitSNAP has no such fit.
        """
        own = validate_options(cls, options.model_dump(include=set(cls.model_fields)))
        assert isinstance(own, cls)
        return own

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.constant and not self.bzero:
            raise ValueError(
                "FitSNAP always fits constant energies with bzeroflag 0: set constant: true, or bzero: true"
            )
        if not self.constant and self.chem and self.quadratic:
            raise ValueError(
                "FitSNAP has no quadratic SNAP with explicit elements (chem) without constant energies"
            )
        return self
