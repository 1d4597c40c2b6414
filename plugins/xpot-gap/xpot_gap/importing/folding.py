"""Entries for single pairs, triplets, clusters or centres that stand for all of them are one entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ase.data import atomic_numbers

from xpot_gap.gap_fit.command import DescriptorCommand, describe_descriptors
from xpot_gap.importing.data import Data
from xpot_gap.options import GapOptions

Entry = dict[str, dict[str, Any]]


def folded(entries: Sequence[Entry], data: Data) -> list[Entry]:
    """The same terms in the same order, by fewer entries.

    Parameters
    ----------
    entries
        Of the option `descriptors`.
    data
        The training file, whose elements an entry without species is for.
    """
    elements = sorted(data.elements, key=lambda s: atomic_numbers[s])
    names = {group: group for group in data.groups}

    def terms(of: Sequence[Entry]) -> list[DescriptorCommand]:
        options = GapOptions.model_validate({"descriptors": list(of), "engine": "gap_fit"})
        return describe_descriptors(options, elements, names)

    found: list[Entry] = []
    at = 0
    while at < len(entries):
        ((kind, options),) = entries[at].items()
        taken, entry = 1, entries[at]
        if len(elements) > 1 and isinstance(options.get("species"), list):
            wide = {kind: {k: v for k, v in options.items() if k not in ("species", "neighbours")}}
            wanted = terms([wide])
            some = entries[at : at + len(wanted)]
            if all(_seen(one, elements) for one in some) and terms(some) == wanted:
                taken, entry = len(wanted), wide
        found.append(entry)
        at += taken
    return found


def _seen(entry: Entry, elements: Sequence[str]) -> bool:
    """Whether all species of an entry are in the data."""
    options = next(iter(entry.values()))
    named = [options.get("species", ()), options.get("neighbours", ())]
    return all(isinstance(part, str) or set(part) <= {*elements, "any"} for part in named)
