"""The fitter ``mie``."""

from __future__ import annotations

import json

import numpy as np

from xpot_core.api import FitError, FitRequest, FittedPotential, resolve, row_factors
from xpot_mie.model import Mie
from xpot_mie.options import MieOptions


class MieFitter:
    """Weighted linear least squares for the coefficients."""

    def fit(self, request: FitRequest) -> FittedPotential:
        """Fit to ``request.data`` and write ``mie.json`` to ``request.directory``."""
        options = request.options
        assert isinstance(options, MieOptions)
        model = Mie(request.data.elements, options.cutoff, (options.repulsive, options.attractive))
        matrix, target = [], []
        for frame, own in zip(request.data.frames, row_factors(request.data), strict=True):
            energy, forces, _ = model.rows(frame)
            if frame.energy is not None:
                weight = resolve(options.energy_weight, frame.group) / frame.n_atoms * own.energy
                matrix.append(weight * energy[None])
                target.append(np.array([weight * frame.energy]))
            if frame.forces is not None:
                by_row = resolve(options.force_weight, frame.group) * own.forces.ravel()
                matrix.append(by_row[:, None] * forces.reshape(-1, len(energy)))
                target.append(by_row * frame.forces.ravel())
        a, b = np.concatenate(matrix), np.concatenate(target)
        # Powers of the distance span many orders of magnitude.
        scale = np.linalg.norm(a, axis=0)
        scale[scale == 0] = 1.0
        coefficients = np.linalg.lstsq(a / scale, b, rcond=1e-12)[0] / scale
        if not np.isfinite(coefficients).all():
            raise FitError("the coefficients are not finite", remedy="narrow the ranges of the exponents")
        content = {
            "elements": model.elements,
            "cutoff": model.cutoff,
            "exponents": model.exponents,
            "coefficients": coefficients.tolist(),
        }
        (request.directory / "mie.json").write_text(json.dumps(content), encoding="utf-8")
        files = {"coefficients": "mie.json"}
        return FittedPotential.from_files("mie", request.directory, files, model.elements)
