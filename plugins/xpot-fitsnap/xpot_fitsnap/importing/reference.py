"""Section REFERENCE of a FitSNAP input as the options of the potential that is subtracted."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from typing import Any

from ase.data import atomic_numbers

from xpot_core.api import Findings, InputError
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
    if len(styles) == 1 and styles[0].split()[0] == "zbl" and _is_plain_zbl(lines, sorted(types)):
        _, inner, outer = styles[0].split()
        return {"reference": "zbl", "zbl_inner": float(inner), "zbl_outer": float(outer)}
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


def _is_plain_zbl(lines: list[str], elements: list[str]) -> bool:
    """Whether pair_coeff lines give every pair its own atomic numbers."""
    given = set()
    for line in lines:
        words = [w for w in line.split() if w != "zbl"]
        if "zero" in words:
            continue
        if len(words) != 4:
            return False
        if words[:2] == ["*", "*"] and len(elements) == 1:
            words[:2] = ["1", "1"]
        if not (words[0].isdigit() and words[1].isdigit()):
            return False
        i, j = int(words[0]) - 1, int(words[1]) - 1
        expected = sorted(atomic_numbers[elements[k]] for k in (i, j))
        # the order of the two numbers does not matter, and types may have been renumbered
        if sorted([float(words[2]), float(words[3])]) != expected:
            return False
        given.add((i, j))
    return len(given) == len(elements) * (len(elements) + 1) // 2
