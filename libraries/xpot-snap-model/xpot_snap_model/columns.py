"""Which coefficient belongs to which column: order, labels and masks of bispectrum components.

Layout of a row: per element ``B_1 B_2 ... [quadratic terms]``, elements in LAMMPS' order.

With explicit elements (``chem``) LAMMPS lists components that are equal by symmetry, for example
B[2,2,2] of the element triples AAB, ABA and BAA. Two things follow. The columns are linearly
dependent, so only one of each class is fitted; and ``pair_style snap`` computes its forces *assuming*
equal coefficients within a class (otherwise its forces are not the derivative of its energy), so the
coefficient found is spread evenly over the class when the potential is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from xpot_snap_model.settings import DescriptorSettings

IntArray = npt.NDArray[np.intp]


def bispectrum_indices(twojmax: int) -> list[tuple[int, int, int]]:
    """(2j1, 2j2, 2j) of the distinct components in LAMMPS' order."""
    return [
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(twojmax, j1 + j2) + 1, 2)
        if j >= j1
    ]


def symmetry_classes(
    triples: list[tuple[int, int, int]], chem: list[tuple[int, int, int]]
) -> tuple[IntArray, IntArray]:
    """Components that are equal: exchanging (j, element) pairs of equal j changes nothing.

    Parameters
    ----------
    triples
        Angular momenta in LAMMPS' order.
    chem
        Element triples, the outer index; ``[(0, 0, 0)]`` without explicit elements.

    Returns
    -------
    representative
        Shape (n,): first component of the class that component belongs to.
    size
        Shape (n,): number of components in it.
    """
    place = {(c, t): i * len(triples) + k for i, c in enumerate(chem) for k, t in enumerate(triples)}
    representative = np.empty(len(place), dtype=np.intp)
    for (elements, js), at in place.items():
        same = [
            place[(elements[p[0]], elements[p[1]], elements[p[2]]), js]
            for p in permutations(range(3))
            if all(js[p[i]] == js[i] for i in range(3))
        ]
        representative[at] = min(same)
    size = np.bincount(representative, minlength=len(place))[representative]
    return representative, size


@dataclass(frozen=True, eq=False)
class ColumnLayout:
    """Columns of the design matrix.

    Attributes
    ----------
    n_lammps
        Columns per element in LAMMPS' array.
    kept
        Per element: which of LAMMPS' columns are used, shape (n_lammps,) of bool.
    source, share
        Shape (n_lammps,): the column whose coefficient each column takes, and which part of it.
    labels
        One label per column of the design matrix.
    """

    n_lammps: int
    kept: tuple[npt.NDArray[np.bool_], ...]
    source: IntArray
    share: npt.NDArray[np.float64]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, settings: DescriptorSettings) -> ColumnLayout:
        """Layout for given settings."""
        triples = bispectrum_indices(max(settings.twojmax))
        n = len(settings.elements)
        every = range(n) if settings.chem else range(1)
        chem = [(a, b, c) for a, b, c in product(every, repeat=3)]
        names = []
        for c in chem:
            tail = "(" + "".join(settings.elements[e] for e in c) + ")" if settings.chem else ""
            names += [f"B[{a},{b},{j}]{tail}" for a, b, j in triples]
        source, size = symmetry_classes(triples, chem)
        share = 1.0 / size
        rows, columns = np.triu_indices(len(names))
        if settings.quadratic:
            names += [f"{names[a]}*{names[b]}" for a, b in zip(rows, columns, strict=True)]
            source, share = _quadratic_classes(source, share, rows, columns)
        kept: list[npt.NDArray[np.bool_]] = []
        labels: list[str] = []
        first = source == np.arange(len(source))
        for element, own in zip(settings.elements, settings.twojmax, strict=True):
            mask = np.tile([max(t) <= own for t in triples], len(chem))
            if settings.quadratic:
                mask = np.concatenate([mask, mask[rows] & mask[columns]])
            mask = mask & first
            kept.append(mask)
            labels += [f"{element} {names[i]}" for i in np.flatnonzero(mask)]
        return cls(len(names), tuple(kept), source, share, tuple(labels))

    @property
    def size(self) -> int:
        """Number of columns K of the design matrix."""
        return len(self.labels)

    def used(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Columns of LAMMPS' array (rows, n_elements n_lammps + 1) that have coefficients, shape (rows, K)."""
        mask = np.concatenate(self.kept)
        return raw[:, :-1] if mask.all() else raw[:, :-1][:, mask]

    def expand(self, coefficients: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Coefficients as LAMMPS reads them.

        Parameters
        ----------
        coefficients
            Shape (K,).

        Returns
        -------
        ndarray
            Shape (n_elements, 1 + n_lammps): zero for the constant, which comes first, and for unused columns.
        """
        table = np.zeros((len(self.kept), 1 + self.n_lammps))
        found = np.zeros((len(self.kept), self.n_lammps))
        found[np.array(self.kept)] = coefficients
        table[:, 1:] = found[:, self.source] * self.share
        return table


def _quadratic_classes(
    source: IntArray, share: npt.NDArray[np.float64], rows: IntArray, columns: IntArray
) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Classes of linear components followed by those of their products."""
    n = len(source)
    place = np.empty((n, n), dtype=np.intp)
    place[rows, columns] = place[columns, rows] = n + np.arange(len(rows))
    products = place[source[rows], source[columns]]
    # the product of two classes appears once for each pair of their members; the square of one class
    # as n diagonal terms with a factor 1/2 and n (n - 1) / 2 mixed ones, which is n^2 halves as well
    shares = share[rows] * share[columns]
    return np.concatenate([source, products]), np.concatenate([share, shares])
