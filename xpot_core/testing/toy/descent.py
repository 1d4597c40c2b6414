"""Fitter ``numpy-descent``: the toy's pair potential by gradient descent, the pattern of an iterative fitter.

It reports its errors after every epoch, keeps a checkpoint and goes on from one, to the same potential bit by bit as
without the interruption: the order of the structures in an epoch depends on the seed and the number of the epoch alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from xpot_core.api import (
    EVALUATE_ONLY,
    ErrorSums,
    ErrorTable,
    FitError,
    FitRequest,
    FittedPotential,
    FloatArray,
    OptionsModel,
    Range,
    TrainingData,
    option,
    replaced_folder,
    row_factors,
)
from xpot_core.testing.toy.basis import Basis
from xpot_core.testing.toy.design import FORMAT, Rows, rows_of

_DECAYS = 0.9, 0.999
_STATE = "state.npz"
_ARRAYS = ("coefficients", "slope", "square")


class DescentOptions(OptionsModel):
    """Options of ``numpy-descent``."""

    cutoff: float = option(
        4.0, "Cutoff radius of the pair functions.", tune=Range(2.5, 8.0), role="cutoff", gt=0
    )
    n_basis: int = option(6, "Number of Gaussians for each width.", ge=1, le=64, role="size")
    force_weight: float = option(
        1.0,
        "Weight of forces against energies per atom.",
        tune=Range(0.01, 100.0, log=True),
        role="weight:force",
        ge=0,
    )
    learning_rate: float = option(
        0.05,
        "Step of each coefficient, in units of its column.",
        unit="",
        tune=Range(1e-3, 0.5, log=True),
        gt=0,
    )
    batch_size: int = option(4, "Structures in one step.", tune=Range(1, 16, log=True), ge=1)
    epochs: int = option(40, "How often every structure is seen.", role="steps", ge=1)


class DescentFitter:
    """The iterative fitter ``numpy-descent``."""

    def fit(self, request: FitRequest) -> FittedPotential:
        """Descend from the elements' mean energies or from a checkpoint by Adam (D. Kingma, J. Ba, arXiv:1412.6980)."""
        start = time.perf_counter()
        options = request.options
        assert isinstance(options, DescentOptions)
        basis = Basis(request.data.elements, options.cutoff, (0.4, 0.8), options.n_basis, True)
        systems = [_weighted(rows, options) for rows in _rows(basis, request.data)]
        systems = [(matrix, targets) for matrix, targets in systems if len(targets)]
        if not systems:
            raise FitError("no training structure has an energy or forces")
        held = replace(request.data, frames=request.held_out, folds=(EVALUATE_ONLY,) * len(request.held_out))
        shown = [row for rows in _rows(basis, held) for row in rows]
        columns = np.sqrt(sum((matrix**2).sum(axis=0) for matrix, _ in systems) / len(systems))
        scale = 1.0 / np.where(columns > 0, columns, 1.0)
        descent = Descent.resumed(request.resume_from) or Descent.begun(
            _constants(basis, request.data) / scale
        )
        for epoch in range(descent.epoch, options.epochs):
            order = np.random.default_rng([request.seed, epoch]).permutation(len(systems))
            for batch in np.array_split(order, -(-len(order) // options.batch_size)):
                now = descent.coefficients * scale
                slopes = [
                    matrix.T @ (matrix @ now - targets) for matrix, targets in (systems[i] for i in batch)
                ]
                descent.step(scale * np.mean(slopes, axis=0), options.learning_rate)
            descent.epoch = epoch + 1
            # In this order: killed between the two, the fit reports the step again; the other way it would be missing.
            request.report(descent.epoch, _errors(shown, descent.coefficients * scale))
            if request.checkpoint is not None:
                with replaced_folder(request.checkpoint) as folder:
                    np.savez(folder / _STATE, **asdict(descent))
        content = {**asdict(basis), "coefficients": (descent.coefficients * scale).tolist()}
        (request.directory / "pair.json").write_text(json.dumps(content))
        (request.directory / "fit.log").write_text(f"{descent.epoch} epochs, {len(systems)} structures\n")
        seconds = {"solve": time.perf_counter() - start}
        files = {"coefficients": "pair.json"}
        return FittedPotential.from_files(FORMAT, request.directory, files, basis.elements, seconds=seconds)


@dataclass
class Descent:
    """How far a descent has come: all that it needs to go on.

    Attributes
    ----------
    epoch, steps
        How many are done.
    coefficients, slope, square
        Shape (K,): scaled coefficients, and running means of their slopes and of the squares of these.
    """

    epoch: int
    steps: int
    coefficients: FloatArray
    slope: FloatArray
    square: FloatArray

    @classmethod
    def begun(cls, coefficients: FloatArray) -> Self:
        """The start."""
        return cls(0, 0, coefficients, np.zeros(len(coefficients)), np.zeros(len(coefficients)))

    @classmethod
    def resumed(cls, checkpoint: Path | None) -> Self | None:
        """What a checkpoint holds; None without one."""
        if checkpoint is None:
            return None
        try:
            with np.load(checkpoint / _STATE) as found:
                return cls(int(found["epoch"]), int(found["steps"]), *(found[name] for name in _ARRAYS))
        except (OSError, ValueError, KeyError) as error:
            raise FitError(f"the checkpoint {checkpoint} cannot be read: {error}") from error

    def step(self, slope: FloatArray, rate: float) -> None:
        """One step of Adam."""
        first, second = _DECAYS
        self.steps += 1
        self.slope = first * self.slope + (1 - first) * slope
        self.square = second * self.square + (1 - second) * slope**2
        mean = self.slope / (1 - first**self.steps)
        square = self.square / (1 - second**self.steps)
        self.coefficients = self.coefficients - rate * mean / (np.sqrt(square) + 1e-12)


def _constants(basis: Basis, data: TrainingData) -> FloatArray:
    """Coefficients that are the elements' mean energies and no interaction."""
    known = [(f.atoms.get_chemical_symbols(), f.energy) for f in data.frames if f.energy is not None]
    found = np.zeros(basis.size)
    if known:
        counts = np.array([[symbols.count(e) for e in basis.elements] for symbols, _ in known], dtype=float)
        found[: len(basis.elements)] = np.linalg.lstsq(counts, np.array([e for _, e in known]), rcond=None)[0]
    return found


def _rows(basis: Basis, data: TrainingData) -> list[list[Rows]]:
    pairs = zip(data.frames, row_factors(data), strict=True)
    return [list(rows_of(basis, frame, factors)) for frame, factors in pairs]


def _weighted(rows: Sequence[Rows], options: DescentOptions) -> tuple[FloatArray, FloatArray]:
    """The rows that are fitted, each quantity with the weight of its mean square."""
    weights = {"energy": 1.0, "force": options.force_weight}
    used = [
        (r, weights[r.quantity] * r.factors / len(r.targets) ** 0.5) for r in rows if r.quantity in weights
    ]
    if not used:
        return np.zeros((0, 0)), np.zeros(0)
    return np.concatenate([r.matrix * w[:, None] for r, w in used]), np.concatenate(
        [r.targets * w for r, w in used]
    )


def _errors(rows: Sequence[Rows], coefficients: FloatArray) -> ErrorTable:
    table = ErrorTable()
    for row in rows:
        table.add(row.quantity, row.group, ErrorSums.of(row.matrix @ coefficients - row.targets))
    return table
