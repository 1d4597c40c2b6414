"""The file of settings, written so that gap_fit reads what was meant.

How its parser (ExtendableStr, ParamReader and System of QUIP) and its XML writer (FoX) see text:

- A file is read in pieces of 1,024 characters. Blanks at the end of a piece are lost, a line break counts as one
  blank: a line must have no blank at a multiple of 1,024.
- A value holds at most 30,000 characters and 1,024 words between blanks. Inside the list of descriptors a comma
  parts settings as a blank does.
- The list holds at most 200 descriptors.
- The potential shows descriptors and command in lines of 1,024 characters, broken at blanks: where there is none,
  gap_fit stops after all its work.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from xpot_core.api import InputError

LONGEST_ARGUMENT = 900
"""gap_fit stops at an argument of more than 1,023 characters on its command line."""
MOST_WORDS = 1000
LONGEST_VALUE = 29_900
MOST_DESCRIPTORS = 200

_WIDTH = 100
_BETWEEN_BLANKS = 8
"""Entries of a list by group before a blank: less than 1,024 characters, as names are short."""


def write_settings(path: Path, arguments: Sequence[str]) -> None:
    """Write arguments as a ``config_file``: short lines, or a word without a blank on a line of its own."""
    lines: list[str] = []
    for argument in arguments:
        lines += textwrap.wrap(argument, _WIDTH, break_long_words=False, break_on_hyphens=False)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def by_group(entries: Sequence[str]) -> str:
    """Entries ``name:value`` as one list, which gap_fit splits at colons and blanks."""
    starts = range(0, len(entries), _BETWEEN_BLANKS)
    return " ".join(":".join(entries[i : i + _BETWEEN_BLANKS]) for i in starts)


def descriptor_list(texts: Sequence[str]) -> str:
    """What stands between the braces of ``gap={...}``; with commas for blanks where there are too many words."""
    plain = " : ".join(texts)
    if len(plain.split()) <= MOST_WORDS:
        return plain
    # Blanks inside braces part the elements of an array and must stay.
    return ":".join(re.sub(r" (?![^{}]*\})", ",", text) for text in texts)


def check_descriptor_list(text: str, n_descriptors: int) -> None:
    """Refuse a list that gap_fit would cut off.

    Raises
    ------
    InputError
        If it has too many descriptors or characters.
    """
    for number, most, what in (
        (n_descriptors, MOST_DESCRIPTORS, "descriptors (one for each pair, triplet and central species)"),
        (len(text), LONGEST_VALUE, "characters of settings for its descriptors"),
    ):
        if number > most:
            raise InputError(
                f"makes {number:,} {what}, gap_fit takes {most:,} at most",
                key="descriptors",
                remedy="name the species of angle_3b, leave descriptors out, or give n_sparse as one number",
            )
