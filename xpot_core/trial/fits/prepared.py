"""Designs kept between trials: what they are kept by, and fits on them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from xpot_core.options.declare import list_item, option_info, submodel
from xpot_core.types.fitting import Design, FitRequest, FittedPotential, KernelDesign


@dataclass(frozen=True)
class PreparedFitter:
    """A fitter whose descriptors are there: its fit is one regression on them.

    Attributes
    ----------
    design
        What the fitter prepared.
    leave_out
        The fold that the fit must not see.
    """

    design: Design
    leave_out: int | None = None

    def prepare(self, request: FitRequest) -> Design:
        """Make a design for other options of stage ``kernel``."""
        assert isinstance(self.design, KernelDesign)
        return self.design.with_kernel(request)

    def fit(self, request: FitRequest) -> FittedPotential:
        """Solve for the regression options of the request and write the potential."""
        return self.design.fit(
            request.options, directory=request.directory, leave_out=self.leave_out, final=request.final
        )


def options_key(options: BaseModel, without: Collection[str]) -> str:
    """JSON of every option but those of some stages."""

    def keep(model: BaseModel) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, info in type(model).model_fields.items():
            if option_info(info).stage in without:
                continue
            value = getattr(model, name)
            if submodel(info.annotation) is not None and isinstance(value, BaseModel):
                kept[name] = keep(value)
            elif list_item(info.annotation) is not None and isinstance(value, list | tuple):
                kept[name] = [keep(v) if isinstance(v, BaseModel) else v for v in value]
            else:
                kept[name] = value
        return kept

    return json.dumps(keep(options), sort_keys=True, default=str)
