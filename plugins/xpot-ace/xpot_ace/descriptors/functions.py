"""The functions of a potential: which there are, in which order they are added, and python-ace's objects for them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xpot_ace.descriptors.backend import pyace
from xpot_core.api import FloatArray, InfeasibleError

Key = tuple[str | int, ...]
"""Elements (centre first), radial indices, angular momenta and couplings of a function, one after the other."""


@dataclass(frozen=True, eq=False)
class Functions:
    """Basis functions, as many for each element.

    Columns of a design stand as python-ace has its coefficients: element by element of the central atom.

    Attributes
    ----------
    basis_set
        ``pyace.ACEBBasisSet``.
    keys
        One per function.
    element
        Shape (K,): index of the central atom's element.
    ladder
        Shape (K,): number of a function among those of its block (central atom and set of species), from 1, the
        simplest first.
    blocks
        Number of blocks of each element.
    radial, angular
        One array per function: radial indices n and angular momenta l of its factors.
    """

    basis_set: Any
    keys: tuple[Key, ...]
    element: npt.NDArray[np.intp]
    ladder: npt.NDArray[np.intp]
    blocks: int
    radial: tuple[npt.NDArray[np.intp], ...]
    angular: tuple[npt.NDArray[np.intp], ...]

    @property
    def size(self) -> int:
        """Number of functions K."""
        return len(self.keys)

    @property
    def types(self) -> dict[str, int]:
        """Element -> index."""
        return {e: i for i, e in enumerate(self.basis_set.elements_name)}

    def simplest(self, wanted: Mapping[str, int]) -> npt.NDArray[np.intp]:
        """The simplest functions, ascending.

        Parameters
        ----------
        wanted
            Element -> number. As in pacemaker, the blocks of an element get equal shares, and a block that has fewer
            leaves the rest unused.
        """
        shares = np.array([max(wanted[e] // self.blocks, 1) for e in self.types])
        return np.flatnonzero(self.ladder <= shares[self.element])

    def roughness(self, power: float) -> FloatArray:
        """How rough each function is, shape (K,), 1 for the smoothest.

        ``1 + sum_i ((n_i - 1)^p + l_i^p)``: the algebraic smoothness prior of W. C. Witt et al., J. Chem. Phys. 159,
        164101 (2023), up to a factor.
        """
        return np.array(
            [
                1.0 + float(((radial - 1.0) ** power + angular.astype(float) ** power).sum())
                for radial, angular in zip(self.radial, self.angular, strict=True)
            ]
        )

    def with_coefficients(self, coefficients: Mapping[Key, float]) -> Any:
        """A ``pyace.ACEBBasisSet`` of those functions alone that have a coefficient other than zero."""
        configuration = self.basis_set.to_BBasisConfiguration()
        for block in configuration.funcspecs_blocks:
            # python-ace wants no block without functions
            kept = [f for f in block.funcspecs if coefficients.get(_key(f), 0.0)] or block.funcspecs[:1]
            for function in kept:
                function.coeffs = [coefficients.get(_key(function), 0.0)]
            block.funcspecs = kept
        _fit_radial_tables(configuration)
        return pyace().ACEBBasisSet(configuration)


def make_functions(potential: Mapping[str, Any], number: int, angular_weight: float) -> Functions:
    """Functions for a potential section of pacemaker.

    Parameters
    ----------
    potential
        The section ``potential`` of pacemaker's input, without a number of functions.
    number
        Of functions of each element: python-ace's gradients are wrong where elements have different numbers.
    angular_weight
        What an angular momentum counts in the complexity of a function, against a radial index.

    Raises
    ------
    InfeasibleError
        If python-ace has no table for functions of this size.
    """
    extension = pyace().multispecies_basisextension
    try:
        configuration = extension.create_multispecies_basis_config(deepcopy(dict(potential)))
    except ValueError as error:
        if "too big" not in str(error):
            raise
        raise InfeasibleError(
            "python-ace has no functions of this order, nradmax and lmax",
            remedy="lower the entries of nradmax_by_orders or lmax_by_orders of the highest orders",
        ) from error
    n_blocks = len(configuration.funcspecs_blocks) // len(potential["elements"])
    ladder: dict[Key, int] = {}
    for block in configuration.funcspecs_blocks:
        by_complexity = sorted(block.funcspecs, key=partial(_complexity, angular_weight=angular_weight))
        chosen = by_complexity[: max(number // n_blocks, 1)]
        ladder |= {_key(f): i + 1 for i, f in enumerate(chosen)}
        block.funcspecs = extension.sort_funcspecs_list(chosen, "body_order")
    _fit_radial_tables(configuration)
    basis_set = pyace().ACEBBasisSet(configuration)
    names = basis_set.elements_name
    by_element = [[*a, *b] for a, b in zip(basis_set.basis_rank1, basis_set.basis, strict=True)]
    counts = [len(own) for own in by_element]
    if len(set(counts)) > 1:
        raise RuntimeError(f"elements have different numbers of functions: {counts}")
    functions = [f for own in by_element for f in own]
    keys = tuple((*(names[m] for m in (f.mu0, *f.mus)), *f.ns, *f.ls, *f.LS) for f in functions)
    return Functions(
        basis_set,
        keys,
        np.repeat(np.arange(len(names)), counts),
        np.array([ladder[key] for key in keys], dtype=np.intp),
        n_blocks,
        tuple(np.array(f.ns, dtype=np.intp) for f in functions),
        tuple(np.array(f.ls, dtype=np.intp) for f in functions),
    )


def _complexity(function: Any, angular_weight: float) -> float:
    """Number of factors, radial indices and angular momenta; with weight 1, pacemaker's ``power_order``."""
    return float(len(function.ns) + sum(function.ns) + angular_weight * sum(function.ls))


def _key(function: Any) -> Key:
    return (*function.elements, *function.ns, *function.ls, *function.LS)


def _fit_radial_tables(configuration: Any) -> None:
    """Let the tables of radial functions reach as far as the functions that there are."""
    extension = pyace().multispecies_basisextension
    for block in configuration.funcspecs_blocks:
        extension.validate_radial_shape_from_funcs(block)
        block.radcoefficients = []
    extension.validate_bonds_nradmax_lmax_nradbase(configuration)
