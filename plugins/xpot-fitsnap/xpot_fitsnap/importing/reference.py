"""Section REFERENCE of a FitSNAP input as the options of the potential that is subtracted."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from typing import Any

from ase.data import atomic_numbers

from xpot_core.api import Findings, InputError, pair_name
from xpot_fitsnap.importing.values import is_number


def reference_options(
    config: configparser.ConfigParser, types: list[str], findings: Findings
) -> dict[str, Any]:
    """``reference`` and the options that go with it."""
    if not config.has_section("REFERENCE"):
        return {"reference": "none"}
    section = config["REFERENCE"]
    if section.get("units", "metal").lower() != "metal":
        raise InputError("only units metal can be translated", key="REFERENCE.units", value=section["units"])
    if section.get("atom_style", "atomic").lower() != "atomic":
        findings.lose(f"atom_style {section['atom_style']}: charges have no counterpart.")
    words = section.get("pair_style", "zero 10.0").split()
    order = {i + 1: sorted(types).index(t) + 1 for i, t in enumerate(types)}
    lines = [_renumbered(v, order) for k, v in section.items() if k.startswith("pair_coeff")]
    parts = _styles(words)
    styles = [s for s in parts if not s.startswith("zero")]
    if not styles:
        return {"reference": "none"}
    if all(style.split()[0] == "zbl" and len(style.split()) == 3 for style in styles):
        own = _zbl_styles(lines, sorted(types), len(styles))
        if own is not None:
            return {"reference": "zbl", **_radii(styles, own)}
    kept = [line for line in lines if len(line.split()) < 3 or line.split()[2] != "zero"]
    return {
        "reference": "lammps",
        "pair_style": " ".join(["hybrid/overlay", *styles] if words[0].startswith("hybrid") else words),
        "pair_coeff": kept,
    }


def _styles(words: list[str]) -> list[str]:
    """Pair styles with their arguments: a style starts at a word that is no number."""
    if words[0].startswith("hybrid"):
        words = words[1:]
    styles: list[list[str]] = []
    for word in words:
        if not styles or not is_number(word):
            styles.append([word])
        else:
            styles[-1].append(word)
    return [" ".join(s) for s in styles]


def _renumbered(line: str, order: Mapping[int, int]) -> str:
    """Atom types in alphabetical order of the elements."""
    first, second, *rest = line.split()
    i, j = (str(order.get(int(t), int(t))) if t.isdigit() else t for t in (first, second))
    if i.isdigit() and j.isdigit() and int(i) > int(j):
        i, j = j, i
    return " ".join([i, j, *rest])


def _zbl_styles(lines: list[str], elements: list[str], count: int) -> dict[str, int] | None:
    """Which of several styles zbl each pair of elements has, from 0.

    None unless every pair has one of them, once and with its own atomic numbers: anything else is no plain ZBL.
    """
    found: dict[str, int] = {}
    for line in lines:
        words = [w for w in line.split() if w != "zbl"]
        if "zero" in words:
            continue
        number = 1
        if count > 1:  # LAMMPS tells styles of one name apart by a number, which stands only there
            if len(words) < 3 or not words[2].isdigit() or not 1 <= int(words[2]) <= count:
                return None
            number = int(words.pop(2))
        if len(words) != 4:
            return None
        if words[:2] == ["*", "*"] and len(elements) == 1:
            words[:2] = ["1", "1"]
        if not (words[0].isdigit() and words[1].isdigit()):
            return None
        pair = [elements[int(w) - 1] for w in words[:2]]
        # the order of the two numbers does not matter, and types may have been renumbered
        if sorted(map(float, words[2:])) != sorted(float(atomic_numbers[e]) for e in pair):
            return None
        name = pair_name(*pair)
        if count > 1 and name in found:  # of one style the last line counts, two styles are added
            return None
        found[name] = number - 1
    return found if len(found) == len(elements) * (len(elements) + 1) // 2 else None


def _radii(styles: list[str], own: Mapping[str, int]) -> dict[str, Any]:
    """``zbl_inner`` and ``zbl_outer``: one number where all pairs have the same."""
    found: dict[str, Any] = {}
    for place, name in ((1, "zbl_inner"), (2, "zbl_outer")):
        values = {pair: float(styles[k].split()[place]) for pair, k in own.items()}
        one = set(values.values())
        found[name] = one.pop() if len(one) == 1 else values
    return found
