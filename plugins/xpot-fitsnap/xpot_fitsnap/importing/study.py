"""A FitSNAP input as a study file: ``xpot init --from fitsnap file.in``."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

from xpot_core.api import Findings, InputError
from xpot_fitsnap.importing.data.convert import convert
from xpot_fitsnap.importing.keys import left_out
from xpot_fitsnap.importing.older import of_today
from xpot_fitsnap.importing.reference import reference_options
from xpot_fitsnap.importing.solvers import refuse_others, solver_options
from xpot_fitsnap.importing.values import per_element, to_flag, to_number
from xpot_fitsnap.importing.weights import groups_of, trained, weight_options
from xpot_fitsnap.metrics.file import metrics_file

DEFAULTS = {"twojmax": "6", "rcutfac": "4.67637", "rfac0": "0.99363", "rmin0": "0.0"}
"""FitSNAP's own defaults, which an input may rely on."""

SCALARS = ("rcutfac", "rfac0", "rmin0")

FLAGS = {
    "wselfallflag": ("wselfall", "0"),
    "chemflag": ("chem", "0"),
    "bzeroflag": ("bzero", "0"),
    "quadraticflag": ("quadratic", "0"),
    "bnormflag": ("bnorm", "0"),
    "switchflag": ("switch", "1"),
}


def study_from_fitsnap(source: str) -> dict[str, Any]:
    """Translate a FitSNAP input; the importer ``fitsnap``.

    Data are converted to extended XYZ beside the input: what FitSNAP trains on, and what it tests.

    Parameters
    ----------
    source
        Path of the input file; or its text, whose paths start from the working folder.

    Returns
    -------
    dict
        The study file; under ``#`` what should be looked at, under ``lost`` what changes the fit and has no
        counterpart.

    Raises
    ------
    InputError
        If FitSNAP would refuse the input, or a file that holds other data lies where they would go.
    """
    if "\n" in source:
        config = _parsed(source, Path("text"))
        path = Path(f"{config.get('OUTFILE', 'potential', fallback='fitsnap')}.in")
    else:
        path = Path(source)
        config = _read(path)
    try:
        return _translated(config, path)
    except InputError as error:
        raise error.at(file=path) from error


def _translated(config: configparser.ConfigParser, path: Path) -> dict[str, Any]:
    findings = Findings()
    findings.note(
        f"Translated from {path.name}. The values are fixed as they were: write `tune` to search one."
    )
    of_today(config, findings)
    refuse_others(config)
    if not config.has_section("BISPECTRUM"):
        raise InputError("has no section BISPECTRUM", file=path, remedy="is it a FitSNAP input for SNAP?")
    left_out(config, path, findings)
    types = config.get("BISPECTRUM", "type", fallback="H").split()
    options = _bispectrum(config, types)
    options |= reference_options(config, types, findings)
    groups = groups_of(config, path)
    data: dict[str, Any] = {
        "train": f"{path.stem}_train.xyz",
        "validation": {"kfold": 5},
        "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
        "group_by": "config_type",
    }
    converted = convert(config, path, groups, findings)
    if converted.test:
        data["test"] = f"{path.stem}_test.xyz"
    options |= _energies(config, types)
    options |= solver_options(config, findings)
    options |= weight_options(config, trained(groups), converted.frames, options, findings)
    told: dict[str, Any] = {}
    reported = metrics_file(config, path)
    if reported is not None:
        file = reported.relative_to(path.parent).as_posix()
        told = {"reference": [{"label": "FitSNAP", "file": file}]}
        findings.note(f"xpot fit shows its errors beside those that FitSNAP wrote to {file}.")
    return {
        "#": findings.notes,
        "lost": findings.lost,
        "study": path.stem,
        "data": data,
        "fitter": {"snap": options},
        "loss": {"energy-force": {}},
        "optimizer": {"sobol": {}},
        "budget": {"trials": 50},
        "seed": 1,
        **told,
    }


def _read(path: Path) -> configparser.ConfigParser:
    try:
        return _parsed(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", file=path) from error


def _parsed(text: str, path: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser(inline_comment_prefixes="#", interpolation=None)
    config.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        config.read_string(text)
    except configparser.Error as error:
        raise InputError(f"is not a FitSNAP input: {error.message}", file=path) from error
    return config


def _bispectrum(config: configparser.ConfigParser, types: list[str]) -> dict[str, Any]:
    section = dict(config["BISPECTRUM"])
    options: dict[str, Any] = {}
    for name in SCALARS:
        options[name] = to_number(section.get(name, DEFAULTS[name]), f"BISPECTRUM.{name}")
    options["twojmax"] = per_element(section.get("twojmax", DEFAULTS["twojmax"]), types, "twojmax", int)
    for name, default in (("wj", "1.0"), ("radelem", "0.5")):
        text = section.get(name, " ".join([default] * len(types)))
        options[name] = per_element(text, types, name, float)
    for flag, (name, fallback) in FLAGS.items():
        options[name] = to_flag(section.get(flag, fallback), f"BISPECTRUM.{flag}")
    options["constant"] = not options["bzero"]
    if to_flag(section.get("switchinnerflag", "0"), "BISPECTRUM.switchinnerflag"):
        for name, default in (("sinner", "0.9"), ("dinner", "0.1")):
            text = section.get(name, " ".join([default] * len(types)))
            options[name] = per_element(text, types, name, float)
    return options


def _energies(config: configparser.ConfigParser, types: list[str]) -> dict[str, Any]:
    """FitSNAP adds its shifts to the energies, we subtract ours."""
    if not config.has_section("ESHIFT"):
        return {}
    shifts = {t: -to_number(config.get("ESHIFT", t, fallback="0.0"), f"ESHIFT.{t}") + 0.0 for t in types}
    return {"energy_shift": shifts} if any(shifts.values()) else {"energy_shift": dict.fromkeys(types, 0.0)}
