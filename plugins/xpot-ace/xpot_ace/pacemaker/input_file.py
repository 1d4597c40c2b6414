"""An input of pacemaker as a study file: of the fitter ``ace`` where it is linear, else of ``pacemaker``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.linear_fit import linear_fit
from xpot_ace.pacemaker.nonlinear_input import LINEAR, embedding_of, fit_options
from xpot_ace.pacemaker.own_words import OwnWords
from xpot_ace.pacemaker.potential_section import BOND_KEYS
from xpot_core.api import Findings, InputError, validate_options

_OURS = {theirs: ours for ours, theirs in BOND_KEYS.items()}
_SHAPE_KEYS = {"nradmax_by_orders", "lmax_by_orders"}
_SHAPES = {"UNARY": "", "BINARY": "binary", "TERNARY": "ternary"}
_NO_MATTER = {"coefs_init", "NameOfCutoffFunction", "nradmax", "lmax", "nradbase"}
"""Keys of functions and bonds that change no linear fit, or only the size of tables."""


def study_from_input(content: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], list[str], list[str]]:
    """The study file of an input, notes, and what changes the fit and is not taken over.

    Parameters
    ----------
    content
        The input as plain data.
    path
        Its file, for messages.

    Raises
    ------
    InputError
        If the potential has no counterpart here.
    """
    potential = content["potential"]
    if not isinstance(potential, Mapping) or not {"elements", "bonds", "functions"} <= set(potential):
        raise InputError(
            "has no elements, bonds and functions",
            file=path,
            key="potential",
            remedy="write the potential out in the format of pacemaker 0.2 or later",
        )
    findings = Findings(["Made from an input of pacemaker: say what is to be tuned."])
    elements = sorted(potential["elements"])
    try:
        embedding = embedding_of(potential.get("embeddings", {}))
        options = {
            **_bonds(potential["bonds"], elements),
            **_functions(potential["functions"], elements),
        }
    except InputError as error:
        raise error.at(key="potential", file=path) from error
    if "deltaSplineBins" in potential:
        options["delta_spline_bins"] = float(potential["deltaSplineBins"])
    linear = embedding == LINEAR
    data = _data(content["data"], options, findings, linear)
    ours = OwnWords.read(content)
    if ours is None and "filename" in potential:
        findings.lose(
            "potential.filename: functions of a file have no counterpart, those of the section are taken."
        )
    if not linear:
        options |= {**embedding, **fit_options(content, findings)}
    elif ours is None:
        files = [folder / data["train"] for folder in (path.parent, Path())] if "train" in data else []
        options = {"angular_weight": 1.0, **options, **linear_fit(content, elements, files, findings)}
    if ours is not None:
        options |= ours.options
        if ours.keys:
            data["keys"] = dict(ours.keys)
    try:
        validate_options(AceOptions if linear else PacemakerOptions, options)
    except InputError as error:
        raise error.at(file=path) from error
    study = {"study": "from-pacemaker", "data": data, "fitter": {"ace" if linear else "pacemaker": options}}
    if isinstance(content.get("seed"), int):
        study["seed"] = content["seed"]
    return study, findings.notes, findings.lost


def _bonds(bonds: Mapping[str, Any], elements: list[str]) -> dict[str, Any]:
    """Options for all pairs, and those of the pairs that differ."""
    general: dict[str, Any] = {}
    pairs: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, given in bonds.items():
        own = _bond(given, f"bonds.{name}")
        if name == "ALL" or [name] == elements:
            general |= own
            continue
        members = tuple(re.findall("[A-Z][a-z]?", name)) if name not in ("UNARY", "BINARY") else ()
        alike = [(e, e) for e in elements]
        mixed = [(a, b) for i, a in enumerate(elements) for b in elements[i + 1 :]]
        chosen = {"UNARY": alike, "BINARY": mixed}.get(name, [tuple(sorted((members * 2)[:2]))])
        if not set(members) <= set(elements):
            raise InputError("names an element that is none of the potential's", key=f"bonds.{name}")
        for pair in chosen:
            pairs.setdefault(pair, {}).update(own)
    for own in pairs.values():
        if "inner_cutoff_type" in own and own["inner_cutoff_type"] != general.get("inner_cutoff_type"):
            raise InputError("inner_cutoff_type is the same for all pairs here", key="bonds")
        own.pop("inner_cutoff_type", None)
    if pairs:
        general["bonds"] = [{"pair": list(pair), **own} for pair, own in sorted(pairs.items())]
    return general


def _bond(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    own: dict[str, Any] = {}
    for theirs, value in given.items():
        if theirs in _NO_MATTER:
            continue
        if theirs not in _OURS:
            raise InputError("has no counterpart here", key=f"{key}.{theirs}")
        if theirs == "radparameters":
            value = value[0]
        own[_OURS[theirs]] = [float(v) for v in value] if isinstance(value, list) else value
    return {k: float(v) if isinstance(v, int) else v for k, v in own.items()}


def _functions(functions: Mapping[str, Any], elements: list[str]) -> dict[str, Any]:
    """Number and shapes; blocks of single sets of elements have no options of their own."""
    found: dict[str, Any] = {}
    shapes: dict[str, Mapping[str, Any]] = {}
    for name, given in functions.items():
        if name == "number_of_functions_per_element":
            found["functions"] = int(given)
        elif name in ("ALL", *_SHAPES) or [name] == elements:
            shapes["UNARY" if [name] == elements else name] = given
        else:
            raise InputError("sets of elements have no shapes of their own here", key=f"functions.{name}")
    for name, ours in _SHAPES.items():
        shape = shapes.get(name, shapes.get("ALL"))
        if shape is None:
            continue
        if unknown := sorted(set(shape) - _SHAPE_KEYS - _NO_MATTER):
            raise InputError("has no counterpart here", key=f"functions.{name}.{unknown[0]}")
        own = {key: list(shape[key]) for key in sorted(_SHAPE_KEYS) if key in shape}
        found |= {ours: own} if ours else own
    found["order"] = len(found.get("nradmax_by_orders", [1] * 4))
    # without a number, pacemaker takes them all
    return {"functions": 100000, **found}


def _data(
    given: Mapping[str, Any], options: dict[str, Any], findings: Findings, linear: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for theirs, ours in (("filename", "train"), ("test_filename", "test")):
        if theirs not in given:
            continue
        name = str(given[theirs])
        stem = re.sub(r"\.(pckl|pkl|pickle)(\.(gzip|gz))?$", "", name)
        found[ours] = name if stem == name else f"{stem}.xyz"
        if stem != name:
            findings.note(
                f"data.{theirs}: {name} is a pickle of pandas, which is not opened since it could hold code; write its "
                f"column ase_atoms as {found[ours]}, with energies and forces."
            )
    if isinstance(size := given.get("test_size"), float):
        found["validation"] = {"fraction": size}
        findings.note(
            f"data.test_size: {size:g} of the structures validate each trial; the final fit takes them too, unlike "
            "pacemaker's."
        )
    else:
        found["validation"] = {"kfold": 5}
        if size:
            findings.note(
                f"data.test_size: {size} structures of pacemaker's choice are not left out of the fit."
            )
    reference = given.get("reference_energy")
    if isinstance(reference, Mapping) and not linear:
        options["energy_shift"] = {e: float(v) for e, v in reference.items()}
    return found
