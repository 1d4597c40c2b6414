"""Groups of a FitSNAP input as weights."""

from __future__ import annotations

import configparser
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ase import Atoms
from xpot_linear.targets import BOLTZMANN

from xpot_core.api import Findings, InputError
from xpot_fitsnap.importing.values import one_if_equal, to_flag, to_number
from xpot_fitsnap.writing.groups import BAR_PER_GPA

WEIGHT_KIND = {"eweight": "energy", "fweight": "force", "vweight": "stress"}

GROUP_SETTINGS = {
    "group_sections", "group_types", "smartweights", "random_sampling", "random_seed", "BOLTZ",
    "vasp_use_TOTEN", "vasp_json_pathname", "vasp_ignore_incomplete", "vasp_ignore_jsons",
    "vasp_unconverged_label",
}  # fmt: skip
_LARGEST = 50.0
"""Exponents of weights up to which squares and sums of squares are numbers still."""


def groups_of(config: configparser.ConfigParser, path: Path) -> dict[str, dict[str, float]]:
    """Group -> columns of its line as numbers."""
    section = dict(config["GROUPS"]) if config.has_section("GROUPS") else {}
    columns = section.get("group_sections", "name size eweight fweight vweight").split()[1:]
    lines = {k: v.split() for k, v in section.items() if k not in GROUP_SETTINGS}
    listed = config.get("PATH", "groupFile", fallback="None")
    if listed != "None":
        try:
            text = (path.parent / listed).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=path.parent / listed) from error
        rows = [line.partition("#")[0].split() for line in text.splitlines()]
        lines = {row[0]: row[1:] for row in rows if row}
    if not lines:
        raise InputError("has no groups", file=path, key="GROUPS")
    groups = {}
    for name, values in lines.items():
        if len(values) != len(columns):
            raise InputError(
                f"has {len(values)} values for the columns {' '.join(columns)}",
                file=path,
                key=f"GROUPS.{name}",
                value=" ".join(values),
                remedy=f"FitSNAP's own settings in this section are {', '.join(sorted(GROUP_SETTINGS))}",
            )
        groups[name] = {c: to_number(v, f"GROUPS.{name}") for c, v in zip(columns, values, strict=True)}
    return groups


def trained(groups: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    """Groups that FitSNAP fits to, not only tests."""
    return {g: row for g, row in groups.items() if row.get("training_size", row.get("size", 1.0)) != 0}


def weight_options(
    config: configparser.ConfigParser,
    groups: Mapping[str, Mapping[str, float]],
    frames: Mapping[str, list[Atoms]],
    options: dict[str, Any],
    findings: Findings,
) -> dict[str, Any]:
    """Weights by group, and the temperature of Boltzmann weights."""
    factors = {"eweight": 1.0, "fweight": 1.0, "vweight": BAR_PER_GPA}
    used = {
        name: to_flag(config.get("CALCULATOR", kind, fallback="0" if name == "vweight" else "1"), name)
        for name, kind in WEIGHT_KIND.items()
    }
    result: dict[str, Any] = {}
    for name, factor in factors.items():
        table = {g: (values.get(name, 1.0) * factor if used[name] else 0.0) for g, values in groups.items()}
        result[name] = table
    temperature = _boltzmann_temperature(config)
    if temperature:
        result["boltzmann_temperature"] = temperature
        _boltzmann(result, temperature, groups, frames, options, findings, energies=used["eweight"])
    if to_flag(config.get("GROUPS", "smartweights", fallback="0"), "smartweights"):
        _smart(result, frames, findings)
    return {name: one_if_equal(value) for name, value in result.items()}


def _smart(result: dict[str, Any], frames: Mapping[str, list[Atoms]], findings: Findings) -> None:
    """FitSNAP divides weights by the number of structures of the group, and by the rows of each structure."""
    for group, own in frames.items():
        sizes = {len(atoms) for atoms in own}
        result["eweight"][group] /= len(own)
        result["fweight"][group] /= len(own) * 3 * (sum(map(len, own)) / len(own))
        result["vweight"][group] /= len(own) * 6
        if len(sizes) > 1:
            findings.lose(
                f"smartweights divides force weights by the size of each structure; in group {group} sizes differ, "
                "and the mean is taken."
            )
    if not frames:
        findings.lose(
            "smartweights divides every weight by the number of structures of its group, and force and virial "
            "weights by the rows of each structure; the weights below are those before that division."
        )


def _boltzmann_temperature(config: configparser.ConfigParser) -> float:
    for section in ("BISPECTRUM", "GROUPS"):
        if config.has_option(section, "BOLTZ"):
            return to_number(config.get(section, "BOLTZ"), f"{section}.BOLTZ")
    return 0.0


def _boltzmann(
    result: dict[str, Any],
    temperature: float,
    groups: Mapping[str, Mapping[str, float]],
    frames: Mapping[str, list[Atoms]],
    options: Mapping[str, Any],
    findings: Findings,
    *,
    energies: bool,
) -> None:
    """FitSNAP's eweight is an energy then: weight = exp((eweight - E/N) / kT), times fweight for forces."""
    if any("eweight" not in values for values in groups.values()):
        raise InputError(
            "has no column eweight, which BOLTZ needs",
            key="GROUPS.group_sections",
            remedy="add the column with 0 for every group, or take BOLTZ out",
        )
    shifts = options.get("energy_shift") or {}
    kt = BOLTZMANN * temperature
    exponents = dict.fromkeys(groups, 0.0)
    for group in groups:
        found = [
            (a.info["REF_energy"] - sum(shifts.get(s, 0.0) for s in a.symbols)) / len(a)
            for a in frames.get(group, [])
        ]
        if found:
            exponents[group] = (groups[group]["eweight"] - min(found)) / kt
        else:
            findings.lose(f"BOLTZ: eweight of group {group} needs its structures; it is left at 1.")
    largest = max(exponents.values(), default=0.0)
    if largest > _LARGEST:
        tell = findings.lose if options.get("absolute_ridge") else findings.note
        tell(
            f"BOLTZ: FitSNAP's weights reach exp({largest:.4g}), since it takes eweight as an energy in eV/atom; all "
            "are divided by the largest, which changes no fit without a ridge."
        )
        exponents = {group: exponent - largest for group, exponent in exponents.items()}
    for group, exponent in exponents.items():
        highest = math.exp(max(exponent, -700.0))
        if energies:
            result["eweight"][group] = highest
        for name in ("fweight", "vweight"):
            result[name][group] *= highest
