"""Turns an existing gap_fit command line into a study file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.data import chemical_symbols
from ase.io import read

from xpot_core.api import InputError, validate_options
from xpot_gap.options import Angle3b, Descriptor, Distance2b, GapOptions, Soap

_OPTIONS: dict[str, type[Descriptor]] = {"distance_2b": Distance2b, "angle_3b": Angle3b, "soap": Soap}
# What the plugin sets itself, or what changes no result.
_OURS = {
    "do_copy_at_file",
    "do_copy_atoms_file",
    "sparse_separate_file",
    "gp_file",
    "gap_file",
    "do_ip_timing",
    "verbosity",
    "openmp_chunk_size",
    "mpi_blocksize_rows",
    "mpi_blocksize_cols",
    "mpi_print_all",
    "config_type_parameter_name",
    "sigma_per_atom",
    "kernel_regularisation_is_per_atom",
    "parameter_name_prefix",
}
_DESCRIPTOR_OURS = {"covariance_type", "add_species", "n_species", "species_Z", "Z", "Z1", "Z2"}
# Our names and gap_fit's; it takes the stress where a frame has no virial, in ASE's sign and order.
_KEYS = (("energy", "energy"), ("forces", "force"), ("virial", "virial"), ("stress", "stress"))
_ALIASES = {
    "kernel_regularisation_parameter_name": "sigma_parameter_name",
    "atoms_filename": "at_file",
    "default_kernel_regularisation": "default_sigma",
    "config_type_kernel_regularisation": "config_type_sigma",
    "baseline_param_filename": "core_param_file",
    "baseline_ip_args": "core_ip_args",
}


def study_from_command(command: str) -> dict[str, Any]:
    """The study file that fits as a gap_fit command does, as plain data.

    Nothing of the command is dropped in silence: what the plugin cannot express is an error that names it.
    Its data file, where there is one, says which groups there are.

    Parameters
    ----------
    command
        The command line as it was typed, with or without ``gap_fit`` in front; files start from the
        working folder.

    Returns
    -------
    dict
        ``study``, ``data``, ``fitter``, ``seed``; ``#`` holds remarks for the head of the file.
    """
    settings = _settings(command)
    get = settings.pop
    if "at_file" not in settings or "gap" not in settings:
        raise InputError("the command has no at_file= or no gap=", remedy="quote the whole gap_fit command")
    prefix = settings.get("parameter_name_prefix", "")
    keys: dict[str, str | None] = {
        ours: prefix + get(f"{theirs}_parameter_name", theirs) for ours, theirs in _KEYS
    }
    # Those of the core are gap_fit's defaults.
    sigma = prefix + get("sigma_parameter_name", "sigma")
    if sigma != "sigma":
        keys |= {f"{kind}_sigma": f"{kind}_{sigma}" for kind in ("energy", "force", "virial")}
    mask = prefix + get("force_mask_parameter_name", "force_mask")
    if mask != "force_mask":
        keys["force_mask"] = mask
    if settings.get("sigma_per_atom", "T").upper().startswith("F"):
        raise InputError("sigma_per_atom=F is not supported", remedy="give sigmas per atom")
    train, group_by = get("at_file"), settings.get("config_type_parameter_name", "config_type")
    descriptors, by_type = get("gap"), get("config_type_sigma", "")
    notes = ["Made from a gap_fit command: check the data keys, and say what is to be tuned."]
    images = _images(train)
    groups = sorted({str(atoms.info.get(group_by, "all")) for atoms in images})
    if images:
        _drop_absent(keys, images, notes)
    else:
        del keys["stress"]
    if not images and (by_type or "config_type_n_sparse" in descriptors):
        notes.append(
            f"{train} was not found, so its groups are not known: name every group wherever one is named. "
            f"gap_fit takes default_sigma={{{settings.get('default_sigma', '')}}} for those without a name."
        )
    gap: dict[str, Any] = {"descriptors": [_descriptor(d, groups, notes) for d in _split(descriptors, ":")]}
    gap |= _sigmas(get("default_sigma", ""), by_type, groups, notes)
    gap["sparse_selection"] = "gap_fit"  # its own sparse points, so that the fit is the same
    gap |= _e0(get("e0", ""), get("e0_method", ""))
    if "sparse_jitter" in settings:
        gap["sparse_jitter"] = _real(get("sparse_jitter"), "sparse_jitter")
    for name in ("core_param_file", "core_ip_args"):
        if name in settings:
            gap[name] = _bare(get(name))
    # The plugin gives gap_fit the study's seed plus one.
    seed = _whole(get("rnd_seed", "1"), "rnd_seed") - 1
    unknown = sorted(set(settings) - _OURS)
    if unknown:
        raise InputError(
            f"the plugin has no option for {', '.join(f'{k}={settings[k]}' for k in unknown)}",
            remedy="leave it out of the command if the fit does not need it",
        )
    validate_options(GapOptions, gap)
    return {
        "#": notes,
        "study": "from-gap-fit",
        "data": {
            "train": train,
            # Folds leave all structures to the final fit, as gap_fit has them.
            "validation": {"kfold": 5},
            "keys": keys,
            "group_by": group_by,
        },
        "fitter": {"gap": gap},
        "seed": max(seed, 0),
    }


def _settings(command: str) -> dict[str, str]:
    """Key -> value; braces and quotes keep blanks together."""
    text = " ".join(command.replace("\\\n", " ").split())
    words = _words(text)
    if words and "=" not in words[0]:
        words = words[1:]
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"'{word}' is no key=value setting of gap_fit")
        key = key.strip("'\"")
        settings[_ALIASES.get(key, key)] = _bare(value)
    return settings


def _words(text: str) -> list[str]:
    """Split at blanks outside of braces and quotes."""
    words, current, depth, quote = [], "", 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += (character == "{") - (character == "}")
        if character == " " and depth <= 0 and not quote:
            if current:
                words.append(current)
            current = ""
        else:
            current += character
    if depth or quote:
        raise InputError("braces or quotes of the command do not close", value=text)
    return [*words, current] if current else words


def _bare(value: str) -> str:
    """Without the quotes and braces around the whole."""
    value = value.strip()
    for _ in range(3):
        if len(value) >= 2 and (value[0] == value[-1] in "'\"" or (value[0], value[-1]) == ("{", "}")):
            value = value[1:-1].strip()
    return value


def _split(text: str, separator: str) -> list[str]:
    """Split outside of braces."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text.replace("d", "e").replace("D", "e") if kind is float else text)
        except ValueError:
            continue
    return text


def _images(file: str) -> list[Atoms]:
    """Structures of a data file; none if there is no such file."""
    path = Path(os.path.expanduser(file))
    if not path.is_file():
        return []
    try:
        return list(read(path, ":"))
    except Exception as error:  # ASE raises whatever its many parsers raise
        raise InputError(
            f"ASE cannot read it: {error}", file=path, key="at_file", remedy="give an extended XYZ file"
        ) from error


def _drop_absent(keys: dict[str, str | None], images: Sequence[Atoms], notes: list[str]) -> None:
    """Forces or virials that the data does not have are no fault for gap_fit, but for a study file."""
    present = {
        name
        for a in images
        for place in (a.info, a.arrays, a.calc.results if a.calc else {})
        for name in place
    }
    for quantity, name in list(keys.items()):
        kind, _, rest = str(name).partition("_")
        names = {name}
        if quantity.endswith("_sigma"):
            names |= {f"{kind}_atom_{rest}", f"{kind}_component_{rest}"}
        if quantity == "energy" or names & present:
            continue
        if quantity == "stress":
            del keys[quantity]
            continue
        keys[quantity] = None
        if quantity in ("forces", "virial"):
            notes.append(f"No structure has {quantity} under the name {name}.")


def _known(rows: Mapping[str, Any], groups: Sequence[str], key: str, notes: list[str]) -> dict[str, Any]:
    """What is given for groups that the data has."""
    absent = [name for name in rows if groups and name not in groups]
    if absent:
        notes.append(f"{key} names {', '.join(absent)}, which the data does not have: left out.")
    return {name: row for name, row in rows.items() if name not in absent}


def _descriptor(text: str, groups: Sequence[str], notes: list[str]) -> dict[str, Any]:
    words = _words(text)
    kind = words[0]
    # A word on its own is a switch that is on.
    pairs = {key: value if equals else "T" for key, equals, value in (w.partition("=") for w in words[1:])}
    if kind not in _OPTIONS:
        raise InputError(f"descriptor '{kind}' cannot be taken over", remedy=f"known: {', '.join(_OPTIONS)}")
    pairs["delta"] = pairs.pop("energy_scale", pairs.get("delta", "1.0"))
    covariance = pairs.get("covariance_type", "dot_product" if kind == "soap" else "ard_se").lower()
    if covariance != ("dot_product" if kind == "soap" else "ard_se"):
        raise InputError(f"{kind}: covariance_type={covariance} is not supported")
    known = _OPTIONS[kind].model_fields
    chosen: dict[str, Any] = {}
    for key, value in pairs.items():
        if key == "config_type_n_sparse":
            continue
        if key == "zeta":
            zeta = _real(value, f"{kind}: {key}")
            chosen["zeta"] = int(zeta) if zeta.is_integer() else zeta
        elif key == "sparse_method":
            chosen[key] = value.lower()
        elif key in known:
            chosen[key] = _value(_bare(value))
        elif key not in _DESCRIPTOR_OURS:
            raise InputError(f"{kind}: the plugin has no option for {key}={value}")
    # gap_fit's own defaults, where the plugin has others.
    chosen.setdefault("cutoff_transition_width", 0.5)
    chosen.setdefault("sparse_method", "random")
    if kind == "soap":
        chosen.setdefault("zeta", 1)
    elif kind == "angle_3b":
        chosen.setdefault("theta_fac", 1.0)
    if "config_type_n_sparse" in pairs:
        chosen["n_sparse"] = _n_sparse(pairs, f"{kind}: config_type_n_sparse", groups, notes)
    numbers = {"distance_2b": ("Z1", "Z2"), "angle_3b": ("Z", "Z1", "Z2"), "soap": ("Z",)}[kind]
    species = [_symbol(_bare(pairs[k]), f"{kind}: {k}") for k in numbers if k in pairs]
    if species:
        chosen["species"] = species
    try:
        validate_options(_OPTIONS[kind], chosen)
    except InputError as error:
        raise error.at(key=kind) from error
    if kind == "distance_2b" and "theta_uniform" not in chosen:
        raise InputError(
            "distance_2b: gives no theta_uniform; gap_fit then takes the spread of the distances in the data, "
            "for which the plugin has no option",
            remedy="write the length scale in Å, e.g. theta_uniform=1.0",
        )
    return {kind: chosen}


def _n_sparse(pairs: Mapping[str, str], key: str, groups: Sequence[str], notes: list[str]) -> dict[str, int]:
    """Sparse points by group; gap_fit gives what `n_sparse` leaves to all groups without a name together."""
    text = _bare(pairs["config_type_n_sparse"])
    given = _by_group(text, key)
    rest = max(_whole(pairs.get("n_sparse", "0"), key.replace("config_type_", "")) - sum(given.values()), 0)
    rest = given.pop("default", rest)
    if rest and not groups:
        notes.append(f"{key}: the groups without a name get {rest} sparse points together.")
    known = _known(given, groups, key, notes)
    others = [name for name in groups if name not in known]
    if rest and len(others) > 1:
        raise InputError(
            f"leaves {rest} sparse points to the groups {', '.join(others)} together, which the plugin cannot",
            key=key,
            value=text,
            remedy="give each of them a number",
        )
    return known | dict.fromkeys(others, rest)


def _fields(text: str) -> list[str]:
    """gap_fit splits lists by config type at blanks, too."""
    return [part for part in re.split(r"[ :;]+", text) if part]


def _whole(text: str, key: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError("is no whole number", key=key, value=text, remedy="write one, e.g. 10") from None


def _real(text: str, key: str) -> float:
    value = _value(text)
    if isinstance(value, str):
        raise InputError("is no number", key=key, value=text, remedy="write one, e.g. 2 or 0.05")
    return float(value)


def _symbol(text: str, key: str) -> str:
    number = _whole(text, key)
    if not 0 < number < len(chemical_symbols):
        raise InputError(
            "is no atomic number",
            key=key,
            value=text,
            remedy=f"write one from 1 to {len(chemical_symbols) - 1}, e.g. 14 for Si",
        )
    return str(chemical_symbols[number])


def _by_group(text: str, key: str) -> dict[str, int]:
    parts = _fields(text)
    if len(parts) % 2:
        raise InputError(
            "must give a number for each config type",
            key=key,
            value=text,
            remedy="write name:number:name:number",
        )
    return {name: _whole(number, key) for name, number in zip(parts[::2], parts[1::2], strict=True)}


def _sigmas(default: str, by_type: str, groups: Sequence[str], notes: list[str]) -> dict[str, Any]:
    first = [_real(v, "default_sigma") for v in re.split(r"[ ,]+", default.strip()) if v]
    if len(first) != 4:
        raise InputError("default_sigma must give four numbers", value=default)
    parts = _fields(by_type)
    if len(parts) % 5:
        raise InputError(
            "config_type_sigma must give a name and four numbers for each config type", value=by_type
        )
    rows = {
        parts[i]: [_real(v, "config_type_sigma") for v in parts[i + 1 : i + 4]]
        for i in range(0, len(parts), 5)
    }
    first = rows.pop("default", first)
    named = _known(rows, groups, "config_type_sigma", notes)
    rows = {name: named.get(name, first) for name in groups or named} if parts else {}
    sigmas: dict[str, Any] = {}
    for k, name in enumerate(("sigma_energy", "sigma_force", "sigma_virial")):
        by_group = {group: values[k] for group, values in rows.items()}
        used = list(by_group.values()) or [first[k]]
        if name == "sigma_virial" and not any([first[k], *used]):
            sigmas["virials"] = False
        elif min(used) <= 0:
            own = any(values[k] <= 0 for values in named.values())
            # gap_fit itself stops at a sigma of 0 where the data has such values.
            raise InputError(
                f"the {name.removeprefix('sigma_')} sigma must be greater than 0",
                key="config_type_sigma" if own else "default_sigma",
                value=by_type if own else default,
                remedy="write any positive number where the data has no such values: it has no effect there",
            )
        else:
            sigmas[name] = by_group or first[k]
    return sigmas


def _e0(e0: str, method: str) -> dict[str, Any]:
    if e0:
        parts = e0.split(":")
        if len(parts) % 2:
            raise InputError("e0 must give a symbol and an energy for each element", value=e0)
        return {"e0": {s: _real(v, "e0") for s, v in zip(parts[::2], parts[1::2], strict=True)}}
    return {"e0": "average" if method == "average" else "isolated"}
