"""Fitter and predictor ``numpy-pair``: a linear pair potential in numpy alone.

Small enough to read in one go, complete enough to serve as the pattern of a staged fitter: the
energy is ``sum_pairs sum_k c_k phi_k(r)`` plus a constant per element, with Gaussians ``phi_k``
damped by a cosine. Meant for tests, tutorials and plugin authors, not for materials.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xpot_core.api import FitRequest, FittedPotential, Frame, NoOptions, Predictions
from xpot_core.testing.toy.basis import Basis
from xpot_core.testing.toy.design import ToyDesign
from xpot_core.testing.toy.options import ToyOptions


class ToyFitter:
    """The staged fitter ``numpy-pair``."""

    def prepare(self, request: FitRequest) -> ToyDesign:
        """Rows of all frames for the request's cutoff and widths."""
        options = request.options
        assert isinstance(options, ToyOptions)
        basis = Basis(
            request.data.elements, options.cutoff, tuple(options.widths), options.n_basis, options.smooth
        )
        return ToyDesign(basis, request.data, options.every)

    def fit(self, request: FitRequest) -> FittedPotential:
        """Prepare and solve in one go."""
        design = self.prepare(request)
        potential = design.fit(request.options, directory=request.directory, final=request.final)
        return FittedPotential(**{**vars(potential), "seconds": {**potential.seconds, **design.seconds}})


class ToyPredictor:
    """Evaluates ``pair.json``."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """Energies, forces and virials of frames."""
        content = json.loads(potential.path("coefficients").read_text())
        coefficients = np.array(content.pop("coefficients"))
        basis = Basis(
            **{**content, "elements": tuple(content["elements"]), "widths": tuple(content["widths"])}
        )
        energies, forces, virials = [], [], []
        for frame in frames:
            rows = basis.rows(frame)
            energy, force, virial = (part @ coefficients for part in rows)
            energies.append(energy)
            forces.append(force)
            virials.append(virial if frame.atoms.pbc.all() else np.full((3, 3), np.nan))
        return Predictions(np.array(energies), forces, np.array(virials).reshape(-1, 3, 3))
