"""Design matrix reduced to Gram blocks: what any weighted least-squares fit of any fold needs.

One block is the Gram matrix of ``[A b]`` (design matrix and target) over all rows of one
(fold, group, kind). A fit with other weights is a weighted sum of blocks, so memory is
O(K^2 x blocks) whatever the number of frames. The few energy and virial rows (1 and 6 per
frame) are kept as they are, because errors are wanted in another scaling than the fit's:

========  ===========================  ======================
rows      in the fit                   in errors
========  ===========================  ======================
energy    E / N (eV/atom)              E / N, E / sqrt(N)
force     F (eV/Å)                     F
virial    W / V as a stress in GPa     W / N (eV/atom)
========  ===========================  ======================

Virials in the fit are turned as `orientation` says.

The fit's scaling is FitSNAP's (but for bar -> GPa), so that published weights mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xpot_core.api import FloatArray

IntArray = npt.NDArray[np.intp]

GPA = 160.21766208
"""GPa per eV/Å^3."""


class BlockKey(NamedTuple):
    """Which rows a block is made of: ``kind`` is energy, force or virial."""

    fold: int
    group: str
    kind: str


@dataclass(frozen=True, eq=False)
class SmallRows:
    """Energy or virial rows of all frames, kept whole.

    Attributes
    ----------
    rows
        Shape (n, r, K + 1) with r = 1 or 6, eV/atom.
    frame
        Shape (n,): index of the frame.
    to_fit
        Shape (n, r, r): turn the rows of a frame into those of the fit (its own factors included).
    """

    rows: FloatArray
    frame: IntArray
    to_fit: FloatArray


@dataclass(eq=False)
class BlockSet:
    """All blocks of a design.

    Columns are the constants of the elements, where these are fitted, then the functions of the basis, then the target.

    Attributes
    ----------
    width
        K + 1.
    keys
        One per block, sorted.
    packed
        Shape (n_blocks, width (width + 1) / 2): Gram matrices in the fit's scaling.
    counts
        Rows per block.
    plain_forces
        Packed unweighted Gram matrices of the force blocks where frames have factors of their own; else empty
        (then `packed` serves).
    energy, virial
        Rows kept whole.
    n_atoms, fold, group
        Per frame; `group` indexes `groups`.
    groups
        Names.
    matrix, matrix_frame, matrix_factor
        Force rows (n, width), the frame that each belongs to and its factor in the fit, in order of frames, where the
        whole matrix fits into the memory allowed.
    """

    width: int
    keys: list[BlockKey]
    packed: FloatArray
    counts: IntArray
    energy: SmallRows
    virial: SmallRows
    n_atoms: IntArray
    fold: IntArray
    group: IntArray
    groups: tuple[str, ...]
    plain_forces: dict[BlockKey, FloatArray] = field(default_factory=dict)
    matrix: FloatArray | None = None
    matrix_frame: IntArray | None = None
    matrix_factor: FloatArray | None = None

    @property
    def n_columns(self) -> int:
        """Number of coefficients K."""
        return self.width - 1

    def error_gram(self, index: int) -> FloatArray:
        """Packed Gram matrix of a force block in the scaling of errors."""
        plain = self.plain_forces.get(self.keys[index])
        packed: FloatArray = self.packed[index] if plain is None else plain
        return packed

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = [self.packed, self.energy.rows, self.virial.rows, *self.plain_forces.values()]
        return sum(a.nbytes for a in arrays) + (self.matrix.nbytes if self.matrix is not None else 0)
