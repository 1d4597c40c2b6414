"""Descriptors of gap_fit that have no options of their own here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement, product
from typing import Any

from ase.data import atomic_numbers
from ase.units import Bohr

from xpot_core.api import Findings, InputError
from xpot_gap.importing.reading.grammar import is_true, real

_WEIGHTED = ("bispectrum_so3", "bispectrum_so4", "behler", "cosnx", "power_so3", "power_so4")
"""These see all species, each with a weight."""
_NO_RECIPE = ("alex", "com_dimer", "molecule_lo_d", "soap_express")
"""gap_fit stops at add_species for these."""
_BEHLER_CUTOFF = 11.338
"""Bohr, of the functions that it has without a specification."""


def cutoff_of(kind: str, own: Mapping[str, str]) -> float:
    """How far a descriptor sees, Å."""
    if "cutoff" in own:
        return real(own["cutoff"], f"{kind}: cutoff")
    if kind == "behler":
        functions = own.get("specification", "").split("|") if "specification" in own else []
        last = [real(function.split(":")[-1], "behler: specification") for function in functions]
        return float(max(last, default=_BEHLER_CUTOFF) * Bohr)
    raise InputError("gives no cutoff", key=kind)


def species_settings(
    kind: str, own: Mapping[str, str], elements: Sequence[str], findings: Findings
) -> list[dict[str, Any]]:
    """What gap_fit adds to a descriptor, once for each that it makes of it.

    Parameters
    ----------
    kind, own
        The descriptor and its settings.
    elements
        Of the data, in the order in which gap_fit meets them; none if they are not known.
    findings
        Gets what is lost where they are not.
    """
    if not is_true(own.get("add_species", "T"), "add_species"):
        return [{}]
    if kind in _NO_RECIPE:
        raise InputError("gap_fit stops at it unless add_species=F", key=kind)
    numbers = [int(atomic_numbers[symbol]) for symbol in elements]
    if not numbers:
        findings.lose(f"{kind}: add_species=T for elements that are not known, as the data are not there.")
        return [{}]
    if kind in ("coordination", "rdf"):
        return [{"Z": z} for z in numbers]
    pairs = list(combinations_with_replacement(numbers, 2))
    if kind.endswith("distance_2b"):
        return [{"Z1": one, "Z2": two} for one, two in pairs]
    if kind == "co_angle_3b":
        return [{"Z": z, "Z1": one, "Z2": two} for z, (one, two) in product(numbers, pairs)]
    if kind in _WEIGHTED:
        last = max(len(numbers) - 1, 1)
        weights = [1.0] if len(numbers) == 1 else [i / last * 0.5 + 0.5 for i in range(len(numbers))]
        around, given = (" ".join(map(str, values)) for values in (numbers, weights))
        return [
            {
                "n_species": len(numbers),
                "Z": z,
                "species_Z": around,
                "w": given,
            }
            for z in numbers
        ]
    return [{}]
