"""Arguments of gap_fit that stand in dictionaries: gap_fit's own names, and the forms of wfl and autoplex."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from xpot_core.api import InputError
from xpot_gap.importing.reading.grammar import is_true, read_line

_OF_A_FIT = re.compile("at_file|atoms_filename|default_sigma|default_kernel_regularisation", re.IGNORECASE)
_GENERAL = "general"
_LISTS = ("gap", "_gap")
_SWITCHES = {"two_body": "twob", "three_body": "threeb", "soap": "soap"}
"""Names under which autoplex says whether a part is fitted, and the part."""
_ALONE = {"add_species", "normalise", "normalize", "compact_clusters", "mark_sparse_atoms"}
"""Settings of descriptors that wfl writes without a value, beside their names."""
KINDS = (
    "distance_2b",
    "angle_3b",
    "distance_Nb",
    "soap_turbo",
    "soap",
    "coordination",
    "rdf",
    "co_angle_3b",
    "co_distance_2b",
    "as_distance_2b",
    "general_monomer",
    "general_dimer",
    "general_trimer",
    "water_monomer",
    "water_dimer",
    "water_trimer",
    "A2_dimer",
    "AB_dimer",
    "AN_monomer",
    "bispectrum_so4",
    "bispectrum_so3",
    "behler",
    "cosnx",
    "trihis",
    "power_so3",
    "power_so4",
    "alex",
    "com_dimer",
    "molecule_lo_d",
    "soap_express",
    "bond_real_space",
    "atom_real_space",
)
"""Descriptors that gap_fit knows."""


def is_fit(arguments: Mapping[str, Any]) -> bool:
    """Whether a dictionary is a fit by gap_fit."""
    arguments = _of_gap(arguments)
    if any(isinstance(arguments.get(name), Mapping) for name in (_GENERAL, "gap_params")):
        inner = arguments.get(_GENERAL, arguments.get("gap_params"))
        return any(_OF_A_FIT.match(key) for key in map(str, inner))
    named = {*KINDS, "_gap"} & set(arguments)
    return (
        len(named) > 1
        or "_gap" in named
        or ("gap" in arguments and any(_OF_A_FIT.match(key) for key in map(str, arguments)))
    )


def settings_of(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Settings of gap_fit as they stand on its command line.

    Parameters
    ----------
    arguments
        gap_fit's names with texts, numbers, logical values or lists. Descriptors stand under ``gap`` or ``_gap`` as
        a text or a list of texts and dictionaries, or each under a name of its own beside ``general``, all of it
        perhaps under ``GAP``.
    """
    arguments = _of_gap(arguments)
    if "stages" in arguments:
        raise InputError(
            "is a template of wfl for fits in several stages, which wfl writes out for each set of elements",
            key="stages",
            remedy="give the commands that it runs, one by one",
        )
    if _GENERAL in arguments:
        general = dict(arguments[_GENERAL])
        off = {
            part
            for switch, part in _SWITCHES.items()
            if switch in general and not is_true(_show(general.pop(switch), 1), switch)
        }
        parts = {name: value for name, value in arguments.items() if name != _GENERAL and name not in off}
        chosen = [_descriptor(value, name) for name, value in parts.items() if isinstance(value, Mapping)]
        arguments = {**general, "gap": chosen}
    settings: dict[str, str] = {}
    for key, value in arguments.items():
        if key in _LISTS:
            settings["gap"] = _list(value)
        elif value is not None:
            settings |= read_line(f"{key}={_show(value, braces=1)}")
    return settings


def _of_gap(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part for GAP where a dictionary holds the settings of several programs."""
    part = arguments.get("GAP")
    return part if isinstance(part, Mapping) and _GENERAL in part else arguments


def _list(value: Any) -> str:
    """The list of descriptors, without the braces around it."""
    if isinstance(value, str):
        return read_line(f"gap={value if value.strip()[:1] == '{' else f'{{{value}}}'}")["gap"]
    if isinstance(value, Mapping):
        named = all(isinstance(part, Mapping) for part in value.values())
        return _list([_descriptor(p, n) for n, p in value.items()] if named else [value])
    if not isinstance(value, Sequence):
        raise InputError("is no list of descriptors", key="gap", value=value)
    return " : ".join(part if isinstance(part, str) else _descriptor(part) for part in value)


def _descriptor(settings: Mapping[str, Any], name: str = "") -> str:
    """One descriptor as text; `name` is what it is called if its settings do not say."""
    words = [
        key if value is None or (value is True and key in KINDS) else f"{key}={_show(value, braces=2)}"
        for key, value in settings.items()
        if (value is not None or key in {*KINDS, *_ALONE}) and not (value is False and key in KINDS)
    ]
    if not any(word.split("=")[0].split(" ")[0] in KINDS for word in words):
        words.insert(0, name)
    return " ".join(words)


def _show(value: Any, braces: int) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, Mapping):
        rows = [
            [k, *(v if isinstance(v, Sequence) and not isinstance(v, str) else [v])] for k, v in value.items()
        ]
        return _braced(":".join(str(part) for row in rows for part in row), braces)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and isinstance(value[0], Sequence) and not isinstance(value[0], str):
            return _braced(":".join(str(part) for row in value for part in row), braces)
        return _braced(" ".join(_show(part, 1) for part in value), braces)
    text = str(value).strip()
    return text if text[:1] in tuple("{'\"") or not set(text) & set(" ,:;") else _braced(text, braces)


def _braced(text: str, braces: int) -> str:
    return "{" * braces + text + "}" * braces
