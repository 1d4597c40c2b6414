"""Errors of a potential as FitSNAP counts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from xpot_lammps_session.box import lammps_box, voigt_of
from xpot_lammps_session.session import NKTV2P
from xpot_linear import WeightOptions, energy_shifts, fit_factors, target_energies

from xpot_core.api import (
    EVERY_GROUP,
    FloatArray,
    Frame,
    ReportedErrors,
    ReportedRow,
    ReportRequest,
    RowFactors,
    resolve,
)
from xpot_fitsnap.metrics.file import QUANTITIES, read_metrics
from xpot_fitsnap.writing.groups import BAR_PER_GPA

CONVENTIONS = (
    "energies by atom, components of forces and stresses in LAMMPS' frame; weighted ones are multiplied by the "
    "weights of the fit"
)
_UNITS = dict(QUANTITIES.values())
Key = tuple[str, bool, str]
"""Group, whether weighted, quantity."""


@dataclass
class _Sums:
    """Of deviations."""

    count: int = 0
    absolute: float = 0.0
    square: float = 0.0
    weighted: int = 0

    def add(self, deviations: FloatArray, counted: int) -> None:
        self.count += deviations.size
        self.absolute += float(np.abs(deviations).sum())
        self.square += float(np.sum(deviations**2))
        self.weighted += counted


def reported_errors(request: ReportRequest) -> ReportedErrors | None:
    """FitSNAP's errors with ours beside; None if the file is not FitSNAP's."""
    metrics = read_metrics(request.file)
    if not metrics:
        return None
    sums = _sums(request)
    rows = []
    for m in metrics:
        if m.set == request.set:
            own = sums.get((m.group, m.weighted, m.quantity), _Sums())
            rows.append(
                ReportedRow(
                    *(m.group, m.weighted, m.quantity, _UNITS[m.quantity]),
                    *(own.weighted, *_errors(own)),
                    *(m.count, m.mae, m.rmse),
                )
            )
    return ReportedErrors(CONVENTIONS, tuple(rows))


def _errors(sums: _Sums) -> tuple[float, float]:
    """FitSNAP divides absolute values by their number, squares by the number of weights that are not zero."""
    if not sums.weighted:
        return float("nan"), float("nan")
    return sums.absolute / sums.count, float(np.sqrt(sums.square / sums.weighted))


def _sums(request: ReportRequest) -> dict[Key, _Sums]:
    found: dict[Key, _Sums] = {}
    weights = _Weights(request)
    for i, frame in enumerate(request.frames):
        for quantity, deviations in _deviations(request, i):
            weight = weights.of(frame, quantity)
            for group in (EVERY_GROUP, frame.group):
                plain = found.setdefault((group, False, quantity), _Sums())
                plain.add(deviations, deviations.size)
                if weight is not None:
                    weighted = found.setdefault((group, True, quantity), _Sums())
                    weighted.add(deviations * weight, int(np.count_nonzero(weight)))
    return found


def _deviations(request: ReportRequest, i: int) -> Iterator[tuple[str, FloatArray]]:
    """Quantity and deviations of one structure, in FitSNAP's units and LAMMPS' frame."""
    frame, predictions = request.frames[i], request.predictions
    if frame.energy is not None:
        yield "energy", np.array([predictions.energies[i] - frame.energy]) / frame.n_atoms
    if frame.forces is None and frame.virial is None:
        return
    atoms = frame.atoms
    box = lammps_box(np.array(atoms.positions), np.array(atoms.cell), atoms.pbc, frame.source)
    if frame.forces is not None:
        yield "force", box.vectors_to_lammps(np.asarray(predictions.forces[i]) - frame.forces)
    if frame.virial is not None and predictions.virials is not None and box.volume:
        turned = box.tensor_to_lammps(predictions.virials[i] - frame.virial)
        if np.isfinite(turned).all():
            yield "stress", voigt_of(turned) * (NKTV2P / box.volume)


class _Weights:
    """Weights of rows; None where the options have none."""

    def __init__(self, request: ReportRequest) -> None:
        self._options = request.options if isinstance(request.options, WeightOptions) else None
        self._factors: dict[int, RowFactors] = {}
        if self._options is not None:
            data = request.data
            energies = target_energies(data, energy_shifts(self._options, data))
            factors = fit_factors(data, energies, self._options.boltzmann_temperature)
            self._factors = {id(f): own for f, own in zip(data.frames, factors, strict=True)}

    def of(self, frame: Frame, quantity: str) -> FloatArray | None:
        """Weights of the rows of one structure, in the shape of its deviations."""
        if self._options is None:
            return None
        factors = self._factors.get(id(frame))
        try:
            if quantity == "energy":
                factor = np.array([1.0 if factors is None else factors.energy])
                return factor * resolve(self._options.eweight, frame.group)
            if quantity == "force":
                of_force = np.ones((frame.n_atoms, 3)) if factors is None else factors.forces
                return of_force * resolve(self._options.fweight, frame.group)
            of_stress = np.ones((3, 3)) if factors is None else factors.virial
            return voigt_of(of_stress) * (resolve(self._options.vweight, frame.group) / BAR_PER_GPA)
        except KeyError:  # a group that is only tested has no weights
            return None
