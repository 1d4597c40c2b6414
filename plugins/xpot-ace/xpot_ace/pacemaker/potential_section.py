"""Options as the section ``potential`` of pacemaker's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpot_ace.potential_options import PotentialOptions, Shape
from xpot_core.api import InputError, resolve

LINEAR = {"npot": "FinnisSinclair", "fs_parameters": [1.0, 1.0], "ndensity": 1}
"""The energy of an atom is the sum of its functions: what makes ACE linear."""
_CORE = {"rho_core_cut": 100000.0, "drho_core_cut": 250.0}

BOND_KEYS = {
    "cutoff": "rcut",
    "radbase": "radbase",
    "radparameters": "radparameters",
    "dcut": "dcut",
    "r_in": "r_in",
    "delta_in": "delta_in",
    "core_repulsion": "core-repulsion",
    "inner_cutoff_type": "inner_cutoff_type",
}
"""Our name -> pacemaker's, in the section ``bonds``."""


def potential_section(
    options: PotentialOptions, elements: Sequence[str], embedding: Mapping[str, Any]
) -> dict[str, Any]:
    """The section ``potential``, without a number of functions.

    Parameters
    ----------
    options
        Those of the fitter.
    elements
        Of the study.
    embedding
        How densities become energies: `LINEAR`, or another.

    Raises
    ------
    InputError
        If ``bonds`` names an element that the data do not have.
    """
    for i, bond in enumerate(options.bonds):
        if unknown := sorted(set(bond.pair) - set(elements)):
            raise InputError(f"{', '.join(unknown)} does not occur in the data", key=f"bonds.{i}.pair")
    own = Shape(nradmax_by_orders=options.nradmax_by_orders, lmax_by_orders=options.lmax_by_orders)
    shapes = {"UNARY": own, "BINARY": options.binary, "ALL": options.ternary}
    return {
        "deltaSplineBins": options.delta_spline_bins,
        "elements": list(elements),
        "embeddings": {"ALL": {**embedding, **_CORE}},
        "bonds": {
            "ALL": _bond(options),
            **{"".join(bond.pair): _bond(bond) for bond in options.bonds},
        },
        "functions": {name: _shape(shape, options.order) for name, shape in shapes.items()},
    }


def per_element(value: int | dict[str, int], elements: Sequence[str], key: str) -> dict[str, int]:
    """Element -> its value of an option that may be given per element."""
    try:
        return {e: int(resolve(value, e)) for e in elements}  # type: ignore[arg-type]
    except KeyError as error:
        raise InputError(f"no value for element {error.args[0]}", key=key) from None


def _bond(options: Any) -> dict[str, Any]:
    found = {theirs: getattr(options, ours, None) for ours, theirs in BOND_KEYS.items()}
    if found["radparameters"] is not None:
        found["radparameters"] = [found["radparameters"]]
    return {key: value for key, value in found.items() if value is not None}


def _shape(shape: Shape, order: int) -> dict[str, list[int]]:
    return {
        "nradmax_by_orders": shape.nradmax_by_orders[:order],
        "lmax_by_orders": shape.lmax_by_orders[:order],
    }
