"""Sigmas, masks and weights of single frames as factors on the rows of a linear fit.

A weight ``w`` multiplies the squared residuals of a frame, so its rows are multiplied by ``sqrt(w)``. A sigma divides
rows; the geometric mean of the sigmas of its kind multiplies them again, so that row weights such as SNAP's
``eweight`` keep their meaning and rows without a sigma stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xpot_core.types.structures import EVALUATE_ONLY, FloatArray, Frame, TrainingData


@dataclass(frozen=True, eq=False)
class RowFactors:
    """Factors on the rows of one frame.

    Attributes
    ----------
    energy
        On the row of the energy.
    forces
        Shape (n_atoms, 3); zero where the mask leaves a force out.
    virial
        Shape (3, 3).
    """

    energy: float
    forces: FloatArray
    virial: FloatArray

    @property
    def plain(self) -> bool:
        """Whether the rows stay as they are."""
        return self.energy == 1.0 and bool((self.forces == 1.0).all() and (self.virial == 1.0).all())


def row_factors(data: TrainingData) -> list[RowFactors]:
    """The factors of every frame, in order.

    Parameters
    ----------
    data
        Its `sigma_means` are those of the whole study, so that a fit to some of the frames weighs them alike.
    """
    means = {**sigma_means(data), **data.sigma_means}
    return [_factors(frame, means) for frame in data.frames]


def sigma_means(data: TrainingData) -> dict[str, float]:
    """Geometric mean of each sigma over the rows of the training frames that have one."""
    logs: dict[str, list[FloatArray]] = {}
    for frame, fold in zip(data.frames, data.folds, strict=True):
        if fold != EVALUATE_ONLY:
            for name, sigma in _sigmas(frame):
                logs.setdefault(name, []).append(np.log(np.ravel(sigma)))
    return {name: math.exp(np.concatenate(found).mean()) for name, found in logs.items()}


def _sigmas(frame: Frame) -> Iterator[tuple[str, FloatArray]]:
    """The sigmas of values that a frame has and that count."""
    if frame.energy is not None and frame.energy_sigma is not None:
        yield "energy_sigma", np.array([frame.energy_sigma])
    if frame.forces is not None and frame.force_sigma is not None:
        sigma = frame.force_sigma if frame.force_mask is None else frame.force_sigma[frame.force_mask]
        if sigma.size:
            yield "force_sigma", sigma
    if frame.virial is not None and frame.virial_sigma is not None:
        yield "virial_sigma", frame.virial_sigma


def _factors(frame: Frame, means: dict[str, float]) -> RowFactors:
    root = math.sqrt(frame.weight)
    energy, forces, virial = root, np.full((frame.n_atoms, 3), root), np.full((3, 3), root)
    if frame.energy_sigma is not None and "energy_sigma" in means:
        energy *= means["energy_sigma"] / frame.energy_sigma
    if frame.force_sigma is not None and "force_sigma" in means:
        forces *= means["force_sigma"] / frame.force_sigma
    if frame.virial_sigma is not None and "virial_sigma" in means:
        virial *= means["virial_sigma"] / frame.virial_sigma
    if frame.force_mask is not None:
        forces[~frame.force_mask] = 0.0
    return RowFactors(energy, forces, virial)
