"""Potentials that are evaluated by the rows of their basis: for bases without a program of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from xpot_core.api import FittedPotential, Frame, NoOptions, Predictions
from xpot_linear.basis import Basis
from xpot_linear.model import LinearModel, predict

FILE = "model.json"


def store_model(
    format: str, directory: Path, basis: Any, model: LinearModel, **facts: Any
) -> FittedPotential:
    """Write basis and coefficients as JSON.

    Parameters
    ----------
    format
        Of the potential.
    directory
        Where to.
    basis
        A dataclass of numbers, texts, and tuples of them.
    model
        What was fitted.
    **facts
        As `LinearFitter.write` gets them.
    """
    content = {
        "basis": asdict(basis),
        "constants": dict(model.constants),
        "coefficients": model.coefficients.tolist(),
    }
    (directory / FILE).write_text(json.dumps(content), encoding="utf-8")
    return FittedPotential.from_files(format, directory, {"model": FILE}, tuple(model.constants), **facts)


class RowsPredictor:
    """Predictor of what `store_model` has written; subclass it with the class of the basis.

    Attributes
    ----------
    basis
        Made from what stands in the file; lists become tuples.
    """

    basis: ClassVar[type[Basis]]

    def __init__(self, options: NoOptions) -> None:
        pass

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """See `xpot_core.api.Predictor`; writes nothing."""
        content = json.loads(potential.path("model").read_text(encoding="utf-8"))
        basis = self.basis(**{k: tuple(v) if isinstance(v, list) else v for k, v in content["basis"].items()})
        model = LinearModel(np.array(content["coefficients"]), content["constants"])
        return predict(basis, model, frames)
