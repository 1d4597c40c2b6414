"""Fitter and predictor ``numpy-pair``: a linear pair potential in numpy alone.

Small enough to read in one go, complete enough to serve as the pattern of a staged fitter: the
energy is ``sum_pairs sum_k c_k phi_k(r)`` plus a constant per element, with Gaussians ``phi_k``
damped by a cosine. Meant for tests, tutorials and plugin authors, not for materials.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from xpot_core.data.row_factors import row_factors
from xpot_core.errors import FitError
from xpot_core.options.declare import resolve
from xpot_core.plugins.interfaces import NoOptions
from xpot_core.testing.toy.options import ToyOptions
from xpot_core.types.error_sums import error_table
from xpot_core.types.fitting import DesignErrors, FitRequest, FittedPotential
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import FloatArray, Frame, TrainingData

FORMAT = "numpy-pair"


@dataclass(frozen=True)
class Basis:
    """Pair functions of all element pairs."""

    elements: tuple[str, ...]
    cutoff: float
    widths: tuple[float, ...]
    n_basis: int
    smooth: bool

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Unordered element pairs."""
        return list(itertools.combinations_with_replacement(self.elements, 2))

    @property
    def size(self) -> int:
        """Number of coefficients: constants, then the functions of each pair."""
        return len(self.elements) + len(self.pairs) * len(self.widths) * self.n_basis

    def functions(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values and derivatives, each of shape (n_distances, n_functions)."""
        centres = np.linspace(0.5, self.cutoff, self.n_basis)
        mu = np.tile(centres, len(self.widths))
        sigma = np.repeat(self.widths, self.n_basis)
        x = (r[:, None] - mu) / sigma
        value = np.exp(-0.5 * x**2)
        slope = -x / sigma * value
        if self.smooth:
            damp = 0.5 * (1 + np.cos(np.pi * r / self.cutoff))[:, None]
            damp_slope = (-0.5 * np.pi / self.cutoff * np.sin(np.pi * r / self.cutoff))[:, None]
            value, slope = value * damp, slope * damp + value * damp_slope
        return value, slope

    def rows(self, frame: Frame) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Energy (K,), force (3 n_atoms, K) and virial (9, K) rows of one structure."""
        from ase.neighborlist import neighbor_list

        atoms = frame.atoms
        symbols = np.array(atoms.get_chemical_symbols())
        i, j, d, vectors = neighbor_list("ijdD", atoms, self.cutoff)
        if not d.all():
            raise FitError(
                f"two atoms of {frame.source} stand at the same place", remedy="take one of them out"
            )
        value, slope = self.functions(d)
        energy = np.zeros(self.size)
        forces = np.zeros((len(atoms), 3, self.size))
        virial = np.zeros((3, 3, self.size))
        for e, element in enumerate(self.elements):
            energy[e] = np.count_nonzero(symbols == element)
        width = value.shape[1]
        for p, (a, b) in enumerate(self.pairs):
            mask = ((symbols[i] == a) & (symbols[j] == b)) | ((symbols[i] == b) & (symbols[j] == a))
            columns = slice(len(self.elements) + p * width, len(self.elements) + (p + 1) * width)
            # Every pair is listed from both ends, so each end carries half of the energy.
            energy[columns] = 0.5 * value[mask].sum(axis=0)
            unit = vectors[mask] / d[mask, None]
            pull = unit[:, :, None] * slope[mask][:, None, :]
            np.add.at(forces[:, :, columns], i[mask], pull)
            virial[:, :, columns] = -0.5 * np.einsum("na,nbk->abk", vectors[mask], pull)
        return energy, forces.reshape(-1, self.size), virial.reshape(9, self.size)


class ToyDesign:
    """Rows of all frames, kept in memory."""

    def __init__(self, basis: Basis, data: TrainingData) -> None:
        start = time.perf_counter()
        self.basis, self.data = basis, data
        self.rows = [basis.rows(frame) for frame in data.frames]
        self.factors = row_factors(data)
        self.seconds: Mapping[str, float] = {"descriptors": time.perf_counter() - start}

    def _solve(self, options: ToyOptions, leave_out: int | None) -> FloatArray:
        matrix, target = [], []
        keep = {id(f) for f in self.data.training(leave_out).frames}
        for frame, (energy, forces, _), own in zip(self.data.frames, self.rows, self.factors, strict=True):
            if id(frame) not in keep:
                continue
            if frame.energy is not None:
                weight = resolve(options.energy_weight, frame.group) / frame.n_atoms * own.energy
                matrix.append(weight * energy[None])
                target.append(np.array([weight * frame.energy]))
            if frame.forces is not None:
                by_row = resolve(options.force_weight, frame.group) * own.forces.ravel()
                matrix.append(by_row[:, None] * forces)
                target.append(by_row * frame.forces.ravel())
        a, b = np.concatenate(matrix), np.concatenate(target)
        scale = np.linalg.norm(a, axis=0)
        scale[scale == 0] = 1.0
        gram = (a / scale).T @ (a / scale) + options.ridge * np.eye(a.shape[1])
        try:
            solved: FloatArray = np.linalg.solve(gram, (a / scale).T @ b) / scale
            return solved
        except np.linalg.LinAlgError as error:
            raise FitError("the normal equations are singular", remedy="raise ridge") from error

    def _predict(self, coefficients: FloatArray, rows: Sequence[Any]) -> Predictions:
        return Predictions(
            np.array([energy @ coefficients for energy, _, _ in rows]),
            [(forces @ coefficients).reshape(-1, 3) for _, forces, _ in rows],
            np.array([(virial @ coefficients).reshape(3, 3) for _, _, virial in rows]).reshape(-1, 3, 3),
        )

    def errors(self, options: BaseModel, *, leave_out: int | None = None) -> DesignErrors:
        """Solve and evaluate without writing anything."""
        assert isinstance(options, ToyOptions)
        start = time.perf_counter()
        coefficients = self._solve(options, leave_out)
        solved = time.perf_counter()
        tables = []
        for part in (self.data.training(leave_out), self.data.evaluation(leave_out)):
            chosen = {id(f) for f in part.frames}
            rows = [r for f, r in zip(self.data.frames, self.rows, strict=True) if id(f) in chosen]
            tables.append(error_table(self._predict(coefficients, rows), part.frames))
        seconds = {"solve": solved - start, "predict": time.perf_counter() - solved}
        return DesignErrors(tables[0], tables[1], seconds)

    def fit(
        self, options: BaseModel, *, directory: Path, leave_out: int | None = None, final: bool = False
    ) -> FittedPotential:
        """Solve and write ``pair.json``."""
        assert isinstance(options, ToyOptions)
        start = time.perf_counter()
        coefficients = self._solve(options, leave_out)
        b = self.basis
        content = {
            "elements": b.elements,
            "cutoff": b.cutoff,
            "widths": b.widths,
            "n_basis": b.n_basis,
            "smooth": b.smooth,
            "coefficients": coefficients.tolist(),
        }
        (directory / "pair.json").write_text(json.dumps(content))
        (directory / "fit.log").write_text(f"{len(self.data.frames)} frames, {b.size} coefficients\n")
        seconds = {"solve": time.perf_counter() - start}
        return FittedPotential.from_files(
            FORMAT, directory, {"coefficients": "pair.json"}, b.elements, seconds=seconds
        )


class ToyFitter:
    """The staged fitter ``numpy-pair``."""

    def prepare(self, request: FitRequest) -> ToyDesign:
        """Rows of all frames for the request's cutoff and widths."""
        options = request.options
        assert isinstance(options, ToyOptions)
        basis = Basis(
            request.data.elements, options.cutoff, tuple(options.widths), options.n_basis, options.smooth
        )
        return ToyDesign(basis, request.data)

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
        rows = [basis.rows(frame) for frame in frames]
        volumes = [abs(f.atoms.cell.volume) if f.atoms.pbc.all() else 0.0 for f in frames]
        virials = np.array([(v @ coefficients).reshape(3, 3) for _, _, v in rows]).reshape(-1, 3, 3)
        virials[np.array(volumes) == 0] = np.nan
        return Predictions(
            np.array([energy @ coefficients for energy, _, _ in rows]),
            [(forces @ coefficients).reshape(-1, 3) for _, forces, _ in rows],
            virials,
        )
