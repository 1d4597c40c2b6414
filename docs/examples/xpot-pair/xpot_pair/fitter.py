"""The basis of ``pair``, the fitter made of it, and its predictor."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from ase.neighborlist import neighbor_list
from xpot_linear import Basis, LinearFitter, LinearModel, Rows, RowsPredictor, store_model

from xpot_core.api import FittedPotential, Frame, TrainingData
from xpot_pair.options import PairOptions


@dataclass(frozen=True)
class PairBasis(Basis):
    """Polynomials ``(1 - r / cutoff)**k`` for each pair of elements."""

    elements: tuple[str, ...]
    cutoff: float
    order: int

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Pairs of elements, in the order of the coefficients."""
        return list(combinations_with_replacement(self.elements, 2))

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.order * len(self.pairs)

    def fingerprint(self) -> str:
        """All that the rows depend on: raise the number when their code changes."""
        return f"pair 1 {self!r}"

    def rows(self, frame: Frame) -> Rows:
        """Rows of one frame: energy (K,), forces (3 n, K), virial (6, K)."""
        symbols, n = np.array(frame.atoms.symbols), frame.n_atoms
        i, j, d, vectors = neighbor_list("ijdD", frame.atoms, self.cutoff)
        powers = np.arange(3, 3 + self.order)  # from 3 on: energy and forces end smoothly
        x = (1 - d / self.cutoff)[:, None]
        value, slope = x**powers, -powers / self.cutoff * x ** (powers - 1)
        pull = (vectors / d[:, None])[:, :, None] * slope[:, None, :]  # (neighbours, 3, order)
        energy, forces, virial = [], [], []
        for a, b in self.pairs:
            mask = ((symbols[i] == a) & (symbols[j] == b)) | ((symbols[i] == b) & (symbols[j] == a))
            energy.append(0.5 * value[mask].sum(axis=0))  # each pair stands in the list twice
            own = np.zeros((n, 3, self.order))
            np.add.at(own, i[mask], pull[mask])
            forces.append(own.reshape(3 * n, -1))
            tensor = -0.5 * np.einsum("na,nbk->abk", vectors[mask], pull[mask])
            virial.append(tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]])
        return Rows(np.concatenate(energy), np.hstack(forces), np.hstack(virial))


class PairFitter(LinearFitter[PairBasis, PairOptions]):
    """All but the basis comes from the library."""

    name = "pair"

    def basis(self, options: PairOptions, data: TrainingData) -> PairBasis:
        """The basis for the elements of a study."""
        return PairBasis(data.elements, options.cutoff, options.order)

    def write(self, directory: Path, basis: Basis, model: LinearModel, **facts: Any) -> FittedPotential:
        """Write the potential."""
        return store_model("pair", directory, basis, model, **facts)


class PairPredictor(RowsPredictor):
    """Evaluates potentials from rows."""

    basis = PairBasis
