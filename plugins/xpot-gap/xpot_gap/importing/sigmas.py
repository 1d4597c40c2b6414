"""Expected errors by group, and energies of single atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ase.data import chemical_symbols

from xpot_core.api import Findings, InputError
from xpot_gap.importing.data import Data
from xpot_gap.importing.reading.grammar import fields, real, split_string

_KINDS = ("energy", "force", "virial")


def known(rows: Mapping[str, Any], groups: Sequence[str], key: str, findings: Findings) -> dict[str, Any]:
    """What is given for groups that the data has."""
    absent = [name for name in rows if groups and name not in groups]
    if absent:
        findings.note(f"{key} names {', '.join(absent)}, which the data does not have: left out.")
    return {name: row for name, row in rows.items() if name not in absent}


def rows_by_type(text: str) -> dict[str, list[float]]:
    """Config type -> sigmas of energy, force and virial."""
    parts = fields(text)
    if len(parts) % 5:
        raise InputError(
            "config_type_sigma must give a name and four numbers for each config type", value=text
        )
    return {
        parts[i]: [real(v, "config_type_sigma") for v in parts[i + 1 : i + 4]]
        for i in range(0, len(parts), 5)
    }


def sigma_options(settings: Mapping[str, str], data: Data, findings: Findings) -> dict[str, Any]:
    """The options `sigma_energy`, `sigma_force`, `sigma_virial` and `virials`."""
    default, by_type = settings.get("default_sigma", ""), settings.get("config_type_sigma", "")
    first = [real(v, "default_sigma") for v in default.split()]
    remedy = "write the sigmas of energy, force, virial and Hessian, e.g. default_sigma={0.008 0.04 0 0}"
    if not first:
        raise InputError("is missing, which gap_fit needs", key="default_sigma", remedy=remedy)
    if len(first) != 4:
        raise InputError("must give four numbers", key="default_sigma", value=default, remedy=remedy)
    rows = rows_by_type(by_type)
    first = rows.pop("default", first[:3])
    named = known(rows, data.groups, "config_type_sigma", findings)
    # Groups with sigmas of their own first: gap_fit goes through them in this order.
    order = [*named, *(g for g in data.groups if g not in named)] if rows else []
    chosen: dict[str, list[float]] = {group: list(named.get(group, first)) for group in order}
    sigmas: dict[str, Any] = {}
    for k, kind in enumerate(_KINDS):
        of_kind = {group: values[k] for group, values in chosen.items()}
        if kind == "virial" and not any([first[k], *of_kind.values()]):
            sigmas["virials"] = False
            continue
        for group, value in of_kind.items():
            if value <= 0 and data.images and not data.has(kind, group):
                of_kind[group] = first[k] if first[k] > 0 else 1.0  # it has no effect
        used = list(of_kind.values()) or [first[k]]
        if not of_kind and first[k] <= 0 and data.images and not any(data.has(kind, g) for g in data.groups):
            first[k], used = 1.0, [1.0]
        if min(used) <= 0:
            own = any(values[k] <= 0 for values in named.values())
            # gap_fit itself stops at a sigma of 0 where the data has such values.
            raise InputError(
                f"the {kind} sigma must be greater than 0",
                key="config_type_sigma" if own else "default_sigma",
                value=by_type if own else default,
                remedy="write any positive number where the data has no such values: it has no effect there",
            )
        sigmas[f"sigma_{kind}"] = of_kind or first[k]
    return sigmas


def e0_options(settings: Mapping[str, str], data: Data, findings: Findings) -> dict[str, Any]:
    """The options `e0` and `e0_offset`."""
    if "local_property0" in settings:
        if "e0" in settings or "e0_offset" in settings or "e0_method" in settings:
            findings.note("gap_fit takes e0 as 0 where local_property0 is given: e0 has no effect.")
        zero = _given(settings["local_property0"], "local_property0", data, findings)
        if any(zero.values() if isinstance(zero, dict) else (zero,)):
            findings.lose(
                "local_property0: gap_fit adds it to what the potential predicts, but takes it from no energy; "
                "name it e0 if that was meant."
            )
        return {"e0": 0.0}
    chosen: dict[str, Any] = {"e0": "isolated"}
    offset = real(settings.get("e0_offset", "0"), "e0_offset")
    if offset:
        chosen["e0_offset"] = offset
    if "e0" in settings:
        chosen["e0"] = _given(settings["e0"], "e0", data, findings)
    elif settings.get("e0_method", "isolated").lower() == "average":
        chosen["e0"] = _average(settings, data, findings)
    return chosen


def _given(text: str, key: str, data: Data, findings: Findings) -> float | dict[str, float]:
    parts = split_string(text, ":", "{")
    if len(parts) == 1:
        return real(parts[0], key)
    if len(parts) % 2:
        raise InputError(f"{key} must give a symbol and an energy for each element", value=text)
    energies = {_symbol(s, key): real(v, key) for s, v in zip(parts[::2], parts[1::2], strict=True)}
    missing = [s for s in data.elements if s not in energies]
    if missing:
        findings.note(f"{key} gives no energy for {', '.join(missing)}: gap_fit takes 0.")
    return energies | dict.fromkeys(missing, 0.0)


def _symbol(text: str, key: str) -> str:
    """An element: gap_fit takes symbols in any letters, and atomic numbers."""
    name = text.strip().capitalize()
    symbol = chemical_symbols[int(name)] if name.isdigit() and int(name) < len(chemical_symbols) else name
    if symbol not in chemical_symbols[1:]:
        raise InputError("is no element", key=key, value=text.strip(), remedy="write its symbol, e.g. Si")
    return symbol


def _average(settings: Mapping[str, str], data: Data, findings: Findings) -> str | float:
    """gap_fit's average is one number for all elements; ours tells them apart."""
    if "core_ip_args" in settings:
        findings.lose("e0_method=average with a core potential: give e0.")
    if len(data.elements) == 1:
        return "average"
    if not data.images:
        findings.note(
            "e0_method=average: gap_fit takes one number for all elements, this plugin one for each."
        )
        return "average"
    name = str(data.keys["energy"])
    energies = [
        _energy(atoms, name) / len(atoms) for atoms in data.images if _energy(atoms, name) is not None
    ]
    return float(sum(energies) / len(energies)) if energies else 0.0


def _energy(atoms: Any, name: str) -> Any:
    return atoms.info.get(name, atoms.calc.results.get(name) if atoms.calc else None)
