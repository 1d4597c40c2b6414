"""The potential itself: what each coefficient contributes to energy, forces and virial."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from ase.neighborlist import neighbor_list

from xpot_core.api import FloatArray, Frame


@dataclass(frozen=True)
class Mie:
    """Two powers of the distance for each pair of elements, and a constant for each element."""

    elements: tuple[str, ...]
    cutoff: float
    exponents: tuple[float, float]

    def rows(self, frame: Frame) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Rows of energy (K,), forces (n_atoms, 3, K) and virial (3, 3, K) for K coefficients."""
        symbols = np.array(frame.atoms.get_chemical_symbols())
        i, j, d, vectors = neighbor_list("ijdD", frame.atoms, self.cutoff)
        powers = np.array(self.exponents)
        # Cubed, so that the forces too go smoothly to zero at the cutoff.
        r = d[:, None]
        end = 1 - (r / self.cutoff) ** 2
        value = r**-powers * end**3
        slope = -powers / r * value - 6 * r / self.cutoff**2 * r**-powers * end**2
        pairs = list(combinations_with_replacement(self.elements, 2))
        n, k = len(self.elements), len(self.elements) + 2 * len(pairs)
        energy, forces, virial = np.zeros(k), np.zeros((len(symbols), 3, k)), np.zeros((3, 3, k))
        energy[:n] = [np.count_nonzero(symbols == e) for e in self.elements]
        for p, (a, b) in enumerate(pairs):
            mask = ((symbols[i] == a) & (symbols[j] == b)) | ((symbols[i] == b) & (symbols[j] == a))
            columns = slice(n + 2 * p, n + 2 * p + 2)
            pull = (vectors[mask] / d[mask, None])[:, :, None] * slope[mask][:, None, :]
            # Each pair is in the list twice, once from either end.
            energy[columns] = 0.5 * value[mask].sum(axis=0)
            np.add.at(forces[:, :, columns], i[mask], pull)
            virial[:, :, columns] = -0.5 * np.einsum("na,nbk->abk", vectors[mask], pull)
        return energy, forces, virial
