"""Which species a descriptor of a command is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement, pairwise, product
from typing import Any

from ase.data import atomic_numbers, chemical_symbols

from xpot_core.api import Findings, InputError
from xpot_gap.descriptors.declare import ANY
from xpot_gap.importing.reading.grammar import is_true, whole

KEYS = {"Z", "Z1", "Z2", "n_species", "species_Z", "central_index", "n_Z", "add_species"}
"""Arguments that say it."""
_CENTRES = ("soap", "soap_turbo")


def terms(
    kind: str, pairs: Mapping[str, str], elements: Sequence[str], findings: Findings
) -> list[dict[str, Any]]:
    """The options `species` and `neighbours` of each term that gap_fit makes of a descriptor.

    Parameters
    ----------
    kind
        Name of the descriptor.
    pairs
        Its settings.
    elements
        Of the data, in the order in which gap_fit meets them; none if they are not known.
    findings
        Gets notes on settings without effect.
    """
    if is_true(pairs.get("add_species", "T"), "add_species"):
        if whole(pairs.get("n_Z", "1"), f"{kind}: n_Z") > 1:
            raise InputError("gap_fit needs add_species=F beside it", key=f"{kind}: n_Z", value=pairs["n_Z"])
        if kind == "soap_turbo":
            _as_many(pairs, elements)
        useless = [key for key in pairs if key in KEYS - {"add_species"}]
        if useless:
            findings.note(f"{kind}: {', '.join(useless)} without effect, as gap_fit adds all species.")
        by_number = sorted(elements, key=lambda s: atomic_numbers[s])
        # All terms of one entry stand in this order.
        return [{}] if by_number == list(elements) else _all(kind, pairs, elements)
    if kind in _CENTRES:
        return [_around(kind, pairs, elements)]
    if kind == "distance_Nb":
        order = whole(pairs["order"], f"{kind}: order")
        named = _symbols(pairs.get("Z", " ".join(["0"] * order)), f"{kind}: Z")
    else:
        keys = {"distance_2b": ("Z1", "Z2"), "angle_3b": ("Z", "Z1", "Z2")}[kind]
        named = [_symbol(pairs.get(key, "0"), f"{kind}: {key}") for key in keys]
    if elements and set(named) == set(elements) and len(elements) == 1:
        return [{}]
    return [{"species": ANY if set(named) == {ANY} else named}]


def _as_many(pairs: Mapping[str, str], elements: Sequence[str]) -> None:
    """Stop where gap_fit does: it gives soap_turbo all species anew, but reads as many from species_Z before."""
    numbers = " ".join(str(atomic_numbers[element]) for element in elements) or "numbers of the elements"
    remedy = f"write n_species={len(elements) or 'N'} species_Z={{{numbers}}}"
    if "species_Z" not in pairs:
        raise InputError("gap_fit stops without it", key="soap_turbo: species_Z", remedy=remedy)
    n = len(pairs["species_Z"].split())
    if elements and n != len(elements):
        raise InputError(
            f"gap_fit stops at {n} species where the data have {len(elements)}",
            key="soap_turbo: species_Z",
            value=pairs["species_Z"],
            remedy=remedy,
        )


def _all(kind: str, pairs: Mapping[str, str], elements: Sequence[str]) -> list[dict[str, Any]]:
    """All pairs, triplets, clusters or centres in gap_fit's order."""
    found: list[list[str]]
    if kind in _CENTRES:
        return [{"species": [centre], "neighbours": list(elements)} for centre in elements]
    if kind == "distance_2b":
        found = [list(pair) for pair in combinations_with_replacement(elements, 2)]
    elif kind == "angle_3b":
        outer = combinations_with_replacement(elements, 2)
        found = [[centre, *pair] for centre, pair in product(elements, list(outer))]
    else:
        order = whole(pairs["order"], f"{kind}: order")
        found = [list(c) for c in product(elements, repeat=order) if _ascends([atomic_numbers[s] for s in c])]
    return [{"species": species} for species in found]


def _ascends(numbers: Sequence[int]) -> bool:
    return all(a <= b for a, b in pairwise(numbers))


def around_of(pairs: Mapping[str, str], elements: Sequence[str]) -> list[str]:
    """The species that the arrays of soap_turbo are for, in order."""
    if is_true(pairs.get("add_species", "T"), "add_species"):
        return list(elements)
    return _symbols(pairs.get("species_Z", "0"), "soap_turbo: species_Z")


def _around(kind: str, pairs: Mapping[str, str], elements: Sequence[str]) -> dict[str, Any]:
    around = _symbols(pairs.get("species_Z", "0"), f"{kind}: species_Z")
    n_species = whole(pairs.get("n_species", "1"), f"{kind}: n_species")
    if len(around) != n_species:
        raise InputError(
            f"names {len(around)} species, n_species is {n_species}",
            key=f"{kind}: species_Z",
            value=pairs.get("species_Z"),
        )
    if kind == "soap_turbo":
        index = whole(pairs.get("central_index", "1"), f"{kind}: central_index")
        if not 0 < index <= len(around):
            raise InputError("is no place in species_Z", key=f"{kind}: central_index", value=index)
        centre = around[index - 1]
    else:
        n = whole(pairs.get("n_Z", "1"), f"{kind}: n_Z")
        centres = _symbols(pairs.get("Z", "0"), f"{kind}: Z")
        if len(centres) != n:
            raise InputError(
                f"names {len(centres)} species, n_Z is {n}", key=f"{kind}: Z", value=pairs.get("Z")
            )
        if n > 1:
            return {"shared_by": centres} | _neighbours(around, elements)
        centre = centres[0]
    if elements and [centre] == around == list(elements):
        return {}
    return {"species": ANY if centre == ANY else [centre]} | _neighbours(around, elements)


def _neighbours(around: list[str], elements: Sequence[str]) -> dict[str, Any]:
    """The option, where it is not that of all elements."""
    if elements and around == sorted(elements, key=lambda s: atomic_numbers[s]):
        return {}
    return {"neighbours": ANY if around == [ANY] else around}


def _symbols(text: str, key: str) -> list[str]:
    return [_symbol(number, key) for number in text.split()]


def _symbol(text: str, key: str) -> str:
    number = whole(text, key)
    if number == 0:
        return ANY
    if not 0 < number < len(chemical_symbols):
        raise InputError(
            "is no atomic number",
            key=key,
            value=text,
            remedy=f"write one from 1 to {len(chemical_symbols) - 1}, e.g. 14 for Si",
        )
    return str(chemical_symbols[number])
