"""The terms of a GAP: for each descriptor its kernel and its sparse points; as XML and back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from xpot_core.api import FloatArray
from xpot_gap.gap_fit import xml
from xpot_gap.native.choose import IntArray
from xpot_gap.native.covariance import Kernel
from xpot_gap.native.descriptors.by_quippy import Environments, environments
from xpot_gap.native.descriptors.geometric import pairs, triplets
from xpot_gap.native.descriptors.settings import setting
from xpot_gap.native.kernels import SparsePoints

_SQUARED_EXPONENTIAL, _DOT_PRODUCT, _PIECEWISE_POLYNOMIAL = 1, 2, 4
_GEOMETRIC = {"distance_2b": pairs, "angle_3b": triplets}
_QUIPPY_ONLY = re.compile(r"\b(Z[12]?=0\b|n_exponents=|exponents=|tail_)")
"""Any species, or other coordinates than the distances."""
_SLICE = 50
"""Coordinates that QUIP's reader takes in one piece."""
_VERSION = 1769700636
"""Version of the format: the gap_version of quippy-ase 0.10.3."""


@dataclass(frozen=True, eq=False)
class Term:
    """One descriptor for one pair, triplet or central species.

    Attributes
    ----------
    descriptor
        As quippy takes it.
    kernel
        Its covariance.
    points
        Its sparse points.
    """

    descriptor: str
    kernel: Kernel
    points: SparsePoints


class DescriptorOf:
    """The descriptor of a term, made when it is used: quippy's object cannot be sent to a process."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text}

    def of(self, atoms: Atoms, *, gradients: bool) -> Environments:
        """All environments of a structure in a periodic cell."""
        kind = self.text.split(maxsplit=1)[0]
        if kind in _GEOMETRIC and not _QUIPPY_ONLY.search(self.text):
            return _GEOMETRIC[kind](self.text, atoms, gradients=gradients)
        return environments(self._calculator, atoms, gradients=gradients)

    def kernel(self, delta: float, zeta: float | None, theta: FloatArray | None) -> Kernel:
        """Its covariance: a power of the dot product, or else a function of the distance."""
        if theta is None or not len(theta):
            return Kernel(delta, zeta)
        compact = re.search(r"\bcovariance_type=pp\b", self.text, re.IGNORECASE) is not None
        return Kernel(delta, None, theta, compact, self.permutations)

    @property
    def permutations(self) -> IntArray | None:
        """Orders of the coordinates that are the same environment, shape (n, d); None for only one."""
        if self.text.split(maxsplit=1)[0] != "distance_Nb":
            return None
        orders = np.asarray(self._calculator.permutations(), dtype=np.int64) - 1
        return orders if len(orders) > 1 else None

    @cached_property
    def _calculator(self) -> Any:
        """A `quippy.descriptors.Descriptor`."""
        from quippy.descriptors import Descriptor

        return Descriptor(self.text)


def quippy_text(settings: str) -> str:
    """Settings of a descriptor outside of ``gap={...}``, whose parser takes one pair of braces away."""
    return settings.replace("{{", "{").replace("}}", "}")


def read_terms(text: str) -> list[Term]:
    """The terms of a potential."""
    terms = []
    for block in xml.blocks(text):
        descriptor = block.descriptor
        delta = setting(descriptor, "delta")
        zeta = setting(descriptor, "zeta") if block.theta is None else None
        kernel = DescriptorOf(descriptor).kernel(1.0 if delta is None else delta, zeta, block.theta)
        terms.append(Term(descriptor, kernel, SparsePoints(block.values, block.cutoff)))
    return terms


def potential_text(
    terms: Sequence[Term], e0: Mapping[str, float], command: Sequence[str], core: tuple[str, str] | None
) -> str:
    """A potential with coefficients of zero, as gap_fit would write it.

    Parameters
    ----------
    terms
        Its descriptors and sparse points.
    e0
        Energy of an atom on its own, eV.
    command
        The arguments of gap_fit that make the same fit.
    core
        QUIP arguments and XML of the potential that is added.
    """
    label = "GAP_xpot"
    energies = {atomic_numbers[symbol]: value for symbol, value in e0.items()}
    pot = f"IP GAP label={label}"
    if core is not None:
        pot = f"Sum init_args_pot1={{{core[0]}}} init_args_pot2={{{pot}}}"
    lines = [f"<{label}>", f'<Potential label="{label}" init_args="{pot}"/>', *([core[1]] if core else [])]
    lines.append(f'<GAP_params label="{label}" gap_version="{_VERSION}">')
    lines.append(f'  <GAP_data do_core="{"T" if core else "F"}">')
    lines += [f'    <e0 Z="{z}" value="{energies.get(z, 0.0)!r}"/>' for z in range(1, len(chemical_symbols))]
    lines.append("  </GAP_data>")
    lines.append(f'  <gpSparse label="{label}" n_coordinate="{len(terms)}" fitted="T">')
    for number, term in enumerate(terms, 1):
        lines += _coordinates(f"{label}{number}", term)
    lines.append("  </gpSparse>")
    lines.append(f"  <command_line><![CDATA[ {' '.join(command)}]]></command_line>")
    lines += ["</GAP_params>", f"</{label}>", ""]
    return "\n".join(lines)


def _coordinates(label: str, term: Term) -> list[str]:
    m, d = term.points.values.shape
    kernel = term.kernel
    kind = _DOT_PRODUCT if kernel.theta is None else _SQUARED_EXPONENTIAL
    if kernel.compact:
        kind = _PIECEWISE_POLYNOMIAL
    orders = [np.arange(d)] if kernel.permutations is None else kernel.permutations
    zeta = "" if kernel.zeta is None else f' zeta="{kernel.zeta!r}"'
    lines = [
        f'    <gpCoordinates label="{label}" dimensions="{d}" signal_variance="{kernel.delta!r}" '
        f'signal_mean="0.0" sparsified="T" n_permutations="{len(orders)}" covariance_type="{kind}"{zeta} '
        f'n_sparseX="{m}">'
    ]
    if kernel.theta is not None:
        lines.append(f"      <theta>{_numbers(kernel.theta)}</theta>")
    lines.append(f"      <descriptor>{term.descriptor}</descriptor>")
    for i, order in enumerate(orders, 1):
        numbers = "\n".join(map(str, order + 1))
        lines.append(f'      <permutation i="{i}">\n{numbers}\n</permutation>')
    for i, (values, cutoff) in enumerate(zip(term.points.values, term.points.cutoff, strict=True), 1):
        begin = f'      <sparseX i="{i}" alpha="0.0" sparseCutoff="{float(cutoff)!r}"'
        if d <= _SLICE:
            lines.append(f"{begin}>{_numbers(values)}</sparseX>")
            continue
        lines.append(f'{begin} sliced="T">')
        for start in range(0, d, _SLICE):
            end = min(d, start + _SLICE)
            numbers = _numbers(values[start:end])
            lines.append(f'<sparseX_slice start="{start + 1}" end="{end}">{numbers}</sparseX_slice>')
        lines.append("      </sparseX>")
    return [*lines, "    </gpCoordinates>"]


def _numbers(values: FloatArray) -> str:
    """Numbers with line feeds between them: QUIP's reader gets the text in pieces and drops blanks at their ends."""
    return "\n".join(["", *map(repr, np.asarray(values, dtype=float).tolist()), ""])
