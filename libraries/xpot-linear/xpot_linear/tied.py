"""Coefficients that are tied to each other, by symmetry for example."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from xpot_core.api import FitError, FloatArray, Frame
from xpot_linear.basis import Basis, Rows
from xpot_linear.model import LinearModel

B = TypeVar("B", bound=Basis)


@dataclass(frozen=True, eq=False)
class Tied(Basis, Generic[B]):
    """A basis with fewer coefficients than the functions of another: these are a linear map of the free ones.

    Weights, ridges, leave-one-out and all else know the free coefficients only; their number is `size`.

    Attributes
    ----------
    whole
        The basis of all K functions.
    map
        Shape (K, m): coefficients of all functions are this times the m free ones. `equal` makes it from labels.
    """

    whole: B
    map: FloatArray

    def __post_init__(self) -> None:
        if self.map.ndim != 2 or len(self.map) != self.whole.size:
            raise FitError(f"the map of ties has the shape {self.map.shape}, expected ({self.whole.size}, m)")

    @classmethod
    def equal(cls, whole: B, labels: npt.ArrayLike) -> Tied[B]:
        """Functions of the same label share one coefficient.

        Parameters
        ----------
        whole
            The basis of all K functions.
        labels
            Shape (K,), integers; free coefficients are in the order of the labels. Functions with a negative one have
            the coefficient zero.
        """
        numbers = np.asarray(labels, dtype=np.intp)
        return cls(whole, (numbers[:, None] == np.unique(numbers[numbers >= 0])).astype(float))

    @property
    def size(self) -> int:
        """Number of free coefficients m."""
        return int(self.map.shape[1])

    @property
    def summary(self) -> str:
        """That of the whole basis, and how many coefficients are free."""
        return f"{self.whole.summary}, {self.size} free of {self.whole.size}"

    def rows(self, frame: Frame) -> Rows:
        """Rows for the free coefficients."""
        rows = self.whole.rows(frame)
        virial = None if rows.virial is None else rows.virial @ self.map
        return Rows(rows.energy @ self.map, rows.forces @ self.map, virial, rows.fixed)

    def fingerprint(self) -> str | None:
        """Of the whole basis with the map."""
        whole = self.whole.fingerprint()
        return whole and f"{whole}|tied {self.map.shape} {hashlib.sha256(self.map.tobytes()).hexdigest()}"

    def penalties(self) -> FloatArray | None:
        """Of the free coefficients: the mean over the functions of each, by the squares of the map."""
        whole, squares = self.whole.penalties(), self.map**2
        return None if whole is None else (whole @ squares) / squares.sum(axis=0)

    def prior(self) -> FloatArray | None:
        """The same prior, of the free coefficients."""
        whole = self.whole.prior()
        return None if whole is None else self.map.T @ whole @ self.map

    def close(self) -> None:
        """Free what the whole basis has opened."""
        self.whole.close()

    def untied(self, model: LinearModel) -> LinearModel:
        """A fitted model with the coefficients of all functions: for `Author.write`."""
        return LinearModel(self.map @ model.coefficients, model.constants)
