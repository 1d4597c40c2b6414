"""A FitSNAP input as a study file: ``xpot init --from fitsnap file.in``."""

from __future__ import annotations

import configparser
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.data import atomic_numbers
from xpot_linear.targets import BOLTZMANN

from xpot_core.api import InputError
from xpot_snap.fitsnap.data import convert
from xpot_snap.fitsnap.input import BAR_PER_GPA
from xpot_snap.fitsnap.keys import left_out
from xpot_snap.fitsnap.shim import strtobool

DEFAULTS = {"twojmax": "6", "rcutfac": "4.67637", "rfac0": "0.99363", "rmin0": "0.0"}
"""FitSNAP's own defaults, which an input may rely on."""

SCALARS = {"rcutfac", "rfac0", "rmin0"}
FLAGS = {
    "wselfallflag": ("wselfall", "0"),
    "chemflag": ("chem", "0"),
    "bzeroflag": ("bzero", "0"),
    "quadraticflag": ("quadratic", "0"),
    "bnormflag": ("bnorm", "0"),
    "switchflag": ("switch", "1"),
}
WEIGHT_KIND = {"eweight": "energy", "fweight": "force", "vweight": "stress"}
GROUP_SETTINGS = {
    "group_sections", "group_types", "smartweights", "random_sampling", "random_seed", "BOLTZ",
    "vasp_use_TOTEN", "vasp_json_pathname", "vasp_ignore_incomplete", "vasp_ignore_jsons",
    "vasp_unconverged_label",
}  # fmt: skip


def study_from_fitsnap(source: str) -> dict[str, Any]:
    """Translate a FitSNAP input; the importer ``fitsnap``.

    JSON data are converted to one extended XYZ file beside the input.

    Parameters
    ----------
    source
        Path of the input file.

    Returns
    -------
    dict
        The study file; under ``#`` what could not be translated, or should be looked at.

    Raises
    ------
    InputError
        If FitSNAP would refuse the input, or a file that holds other data lies where they would go.
    """
    try:
        return _translated(Path(source))
    except InputError as error:
        raise error.at(file=source) from error


def _translated(path: Path) -> dict[str, Any]:
    config = _read(path)
    notes = [f"Translated from {path.name}. The values are fixed as they were: write `tune` to search one."]
    if config.has_section("CALCULATOR"):
        kind = config.get("CALCULATOR", "calculator", fallback="LAMMPSSNAP")
        if kind.upper() != "LAMMPSSNAP":
            raise InputError(
                "only LAMMPSSNAP can be translated", file=path, key="CALCULATOR.calculator", value=kind
            )
    if not config.has_section("BISPECTRUM"):
        raise InputError("has no section BISPECTRUM", file=path, remedy="is it a FitSNAP input for SNAP?")
    notes += left_out(config, path)
    types = config.get("BISPECTRUM", "type", fallback="H").split()
    options = _bispectrum(config, types)
    options |= _reference(config, types, notes)
    groups = _groups(config, path)
    data = {
        "train": f"{path.stem}_train.xyz",
        "validation": {"kfold": 5},
        "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
        "group_by": "config_type",
    }
    frames = convert(config, path, groups, path.with_name(f"{path.stem}_train.xyz"), notes)
    options |= _energies(config, types)
    options |= _weights(config, groups, frames, options, notes)
    _solver(config, options, notes)
    return {
        "#": notes,
        "study": path.stem,
        "data": data,
        "fitter": {"snap": options},
        "loss": {"energy-force": {}},
        "optimizer": {"sobol": {}},
        "budget": {"trials": 50},
        "seed": 1,
    }


def _read(path: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser(inline_comment_prefixes="#", interpolation=None)
    config.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        with path.open(encoding="utf-8") as file:
            config.read_file(file)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except configparser.Error as error:
        raise InputError(f"is not a FitSNAP input: {error.message}", file=path) from error
    return config


def _bispectrum(config: configparser.ConfigParser, types: list[str]) -> dict[str, Any]:
    section = dict(config["BISPECTRUM"])
    options: dict[str, Any] = {}
    for name in SCALARS:
        options[name] = _number(section.get(name, DEFAULTS[name]), f"BISPECTRUM.{name}")
    options["twojmax"] = _per_element(section.get("twojmax", DEFAULTS["twojmax"]), types, "twojmax", int)
    for name, default in (("wj", "1.0"), ("radelem", "0.5")):
        text = section.get(name, " ".join([default] * len(types)))
        options[name] = _per_element(text, types, name, float)
    for flag, (name, fallback) in FLAGS.items():
        options[name] = _flag(section.get(flag, fallback), f"BISPECTRUM.{flag}")
    options["constant"] = not options["bzero"]
    if _flag(section.get("switchinnerflag", "0"), "BISPECTRUM.switchinnerflag"):
        for name, default in (("sinner", "0.9"), ("dinner", "0.1")):
            text = section.get(name, " ".join([default] * len(types)))
            options[name] = _per_element(text, types, name, float)
    return options


def _reference(config: configparser.ConfigParser, types: list[str], notes: list[str]) -> dict[str, Any]:
    if not config.has_section("REFERENCE"):
        return {"reference": "none"}
    section = config["REFERENCE"]
    if section.get("units", "metal").lower() != "metal":
        raise InputError("only units metal can be translated", key="REFERENCE.units", value=section["units"])
    if section.get("atom_style", "atomic").lower() != "atomic":
        notes.append(f"atom_style {section['atom_style']} is not supported: charges and spins are lost.")
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
        if not styles or not _is_number(word):
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


def _groups(config: configparser.ConfigParser, path: Path) -> dict[str, dict[str, float]]:
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
        groups[name] = {c: _number(v, f"GROUPS.{name}") for c, v in zip(columns, values, strict=True)}
    return groups


def _weights(
    config: configparser.ConfigParser,
    groups: Mapping[str, Mapping[str, float]],
    frames: Mapping[str, list[Atoms]],
    options: dict[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    factors = {"eweight": 1.0, "fweight": 1.0, "vweight": BAR_PER_GPA}
    used = {
        name: _flag(config.get("CALCULATOR", kind, fallback="0" if name == "vweight" else "1"), name)
        for name, kind in WEIGHT_KIND.items()
    }
    result: dict[str, Any] = {}
    for name, factor in factors.items():
        table = {g: (values.get(name, 1.0) * factor if used[name] else 0.0) for g, values in groups.items()}
        result[name] = table
    sizes = {"size": 1.0, "training_size": 1.0, "testing_size": 0.0}
    if any(values.get(name, all_) != all_ for values in groups.values() for name, all_ in sizes.items()):
        notes.append(
            "Testing sizes are not translated, nor are training sizes: FitSNAP picks those files itself, and here all "
            "are trained on. Use validation or test."
        )
    temperature = _boltzmann_temperature(config)
    if temperature:
        result["boltzmann_temperature"] = temperature
        _boltzmann(result, temperature, groups, frames, options, notes, energies=used["eweight"])
    if _flag(config.get("GROUPS", "smartweights", fallback="0"), "smartweights"):
        notes.append(
            "smartweights divides every weight by the size of its group, and force weights by the number of "
            "components of each structure; the weights below are those before that division."
        )
    return {name: _one_if_equal(value) for name, value in result.items()}


def _boltzmann_temperature(config: configparser.ConfigParser) -> float:
    for section in ("BISPECTRUM", "GROUPS"):
        if config.has_option(section, "BOLTZ"):
            return _number(config.get(section, "BOLTZ"), f"{section}.BOLTZ")
    return 0.0


def _boltzmann(
    result: dict[str, Any],
    temperature: float,
    groups: Mapping[str, Mapping[str, float]],
    frames: Mapping[str, list[Atoms]],
    options: Mapping[str, Any],
    notes: list[str],
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
    for group in groups:
        found = [
            (a.info["REF_energy"] - sum(shifts.get(s, 0.0) for s in a.symbols)) / len(a)
            for a in frames.get(group, [])
        ]
        if not found:
            notes.append(f"BOLTZ: eweight of group {group} needs its structures; it is left at 1.")
        exponent = (groups[group]["eweight"] - min(found)) / kt if found else 0.0
        lowest = math.exp(min(exponent, 700.0))
        if energies:
            result["eweight"][group] = lowest
        for name in ("fweight", "vweight"):
            result[name][group] *= lowest


def _energies(config: configparser.ConfigParser, types: list[str]) -> dict[str, Any]:
    """FitSNAP adds its shifts to the energies, we subtract ours."""
    if not config.has_section("ESHIFT"):
        return {}
    shifts = {t: -_number(config.get("ESHIFT", t, fallback="0.0"), f"ESHIFT.{t}") + 0.0 for t in types}
    return {"energy_shift": shifts} if any(shifts.values()) else {"energy_shift": dict.fromkeys(types, 0.0)}


def _solver(config: configparser.ConfigParser, options: dict[str, Any], notes: list[str]) -> None:
    solver = config.get("SOLVER", "solver", fallback="SVD")
    if solver.upper() != "SVD":
        notes.append(
            f"Solver {solver} is not translated: the fit is plain weighted least squares (option ridge)."
        )
    options["ridge"] = 0.0


def _per_element(text: str, types: list[str], name: str, kind: type) -> Any:
    words = text.split()
    if len(words) == 1:
        words *= len(types)
    if len(words) != len(types):
        raise InputError(
            f"has {len(words)} values for {len(types)} types", key=f"BISPECTRUM.{name}", value=text
        )
    numbers = [_number(w, f"BISPECTRUM.{name}") for w in words]
    if kind is int and not all(number.is_integer() for number in numbers):
        raise InputError("is no whole number", key=f"BISPECTRUM.{name}", value=text)
    return _one_if_equal({t: kind(number) for t, number in zip(types, numbers, strict=True)})


def _one_if_equal(value: Any) -> Any:
    """One value instead of a mapping to equal ones."""
    if isinstance(value, dict) and len(set(value.values())) == 1:
        return next(iter(value.values()))
    return value


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(text: str, key: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError("is not a number", key=key, value=text) from None


def _flag(text: str, key: str) -> bool:
    try:
        return bool(strtobool(text))
    except ValueError:
        raise InputError("is neither true nor false", key=key, value=text) from None
