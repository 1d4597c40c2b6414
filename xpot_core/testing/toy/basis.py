"""Pair functions: what each coefficient contributes to energy, forces and virial."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from xpot_core.api import FitError, FloatArray, Frame


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

    def used(self, every: int) -> FloatArray:
        """1 for a coefficient that is used, 0 for others, shape (K,): constants, and every n-th function of a width."""
        functions = np.arange(self.size - len(self.elements)) % self.n_basis % every == 0
        return np.concatenate([np.ones(len(self.elements)), functions])

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
        """Energy (K,), force (n_atoms, 3, K) and virial (3, 3, K) rows of one structure."""
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
        return energy, forces, virial
