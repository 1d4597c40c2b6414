"""Descriptors of a command as entries of the option `descriptors`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from xpot_core.api import Findings, InputError, validate_options
from xpot_gap.descriptors.choice import DescriptorChoice
from xpot_gap.importing import species
from xpot_gap.importing.data import Data
from xpot_gap.importing.folding import folded
from xpot_gap.importing.other_descriptors import cutoff_of, species_settings
from xpot_gap.importing.reading.dictionaries import KINDS
from xpot_gap.importing.reading.grammar import fields, is_true, read_descriptors, real, whole
from xpot_gap.importing.reading.names import OF_DESCRIPTORS, OF_ONE_DESCRIPTOR, plain_names
from xpot_gap.importing.sparse import SparsePoints

Reader = Callable[[str, str], Any]

_FADING: dict[str, Reader] = {"cutoff": real, "cutoff_transition_width": real}
_OPTIONS: dict[str, dict[str, Reader]] = {
    "distance_2b": _FADING,
    "angle_3b": _FADING,
    "distance_Nb": {**_FADING, "order": whole, "compact_clusters": lambda value, key: is_true(value, key)},
    "soap": {
        **_FADING,
        "atom_sigma": real,
        "n_max": whole,
        "l_max": whole,
        "central_weight": real,
        "normalise": lambda value, key: is_true(value, key),
    },
    "soap_turbo": {"rcut_hard": real, "l_max": whole, "radial_enhancement": whole},
}
"""Settings that are options here, too."""
_NEEDED = {
    "distance_2b": ("cutoff",),
    "angle_3b": ("cutoff",),
    "distance_Nb": ("cutoff", "order"),
    "soap": ("cutoff", "n_max", "l_max", "atom_sigma"),
    "soap_turbo": ("rcut_hard", "l_max"),
}
_MORE: dict[str, dict[str, str]] = {
    "distance_2b": {"n_exponents": "1", "exponents": "1", "tail_range": "1.0", "tail_exponent": "0"},
    "angle_3b": {},
    "distance_Nb": {"xml_version": ""},
    "soap": {
        "cutoff_dexp": "0",
        "cutoff_scale": "1.0",
        "cutoff_rate": "1.0",
        "central_reference_all_species": "",
        "average": "F",
        "diagonal_radial": "F",
        "covariance_sigma0": "0.0",
        "basis_error_exponent": "10.0",
        "xml_version": "",
        "nu_R": "2",
        "nu_S": "2",
        "Z_mix": "F",
        "R_mix": "F",
        "sym_mix": "F",
        "coupling": "T",
        "K": "0",
        "mix_shift": "0",
        "Z_map": "",
        "radial_basis": "",
    },
    "soap_turbo": {"nf": "4.0", "compress_mode": "None"},
}
"""Further settings and their defaults; they are handed on where they differ."""
_OF_ALL = {"f0": "0.0", "unique_hash_tolerance": "1.0e-10", "unique_descriptor_tolerance": "1.0e-10"}
_READ = species.KEYS | {
    "delta",
    "n_sparse",
    "config_type_n_sparse",
    "sparse_method",
    "theta_fac",
    "theta_uniform",
    "zeta",
    "covariance_type",
    "mark_sparse_atoms",
    "print_sparse_index",
}
_FILES = ("theta_file", "sparse_file", "compress_file", "resid_name", "only_intra", "only_inter")
_FROM_FILE = ("file", "index_file")
_NONE = {"compress_file": "none", "only_intra": "f", "only_inter": "f"}
"""What means that there is none."""
_COVARIANCES = {"gaussian": "ard_se", "ard_se": "ard_se", "pp": "pp", "dot_product": "dot_product"}


def descriptor_entries(
    gap: str, by_type: str, data: Data, findings: Findings
) -> list[dict[str, dict[str, Any]]]:
    """Entries of the option `descriptors`.

    Parameters
    ----------
    gap
        What stands in ``gap={...}``.
    by_type
        ``config_type_sigma``, whose names have a part in the choice of sparse points.
    data
        The training file.
    findings
        Gets notes and what is lost.
    """
    given = [_plain_names(pairs) for pairs in read_descriptors(gap)]
    if not given:
        raise InputError("names no descriptor", key="gap", value=gap)
    points = SparsePoints(given, by_type, data, findings)
    entries = []
    for pairs in given:
        kind = _kind(pairs)
        own = {key: value for key, value in pairs.items() if key != kind}
        chosen = _common(kind, own, findings) | points.of(kind, own)
        if kind not in _OPTIONS:
            others = _others(kind, own, data, findings)
            entries += [{"other": {"name": kind} | chosen | other} for other in others]
            continue
        missing = [key for key in _needed(kind, own) if key not in own]
        if missing:
            raise InputError(f"gives no {', '.join(missing)}", key=kind)
        for key, reader in _OPTIONS[kind].items():
            if key in own:
                chosen[key] = reader(own[key], f"{kind}: {key}")
        if kind == "soap_turbo":
            chosen |= _turbo(own, data, findings)
        else:
            chosen.setdefault("cutoff_transition_width", 0.5)  # gap_fit's default
        more = _more(kind, own, findings)
        if more:
            chosen["more"] = more
        for part in species.terms(kind, own, data.elements, findings):
            entries.append({kind: {**chosen, **part}})
    for entry in entries:
        validate_options(DescriptorChoice, entry)
    return folded(entries, data)


def _plain_names(pairs: Mapping[str, str]) -> dict[str, str]:
    """Settings by the names that are looked for here; those of a descriptor without options stay as they are."""
    common = plain_names(pairs, {*KINDS, *_READ, *_FILES, "cutoff"}, OF_DESCRIPTORS)
    kind = _kind(common)
    if kind not in _OPTIONS:
        return common
    known = {*_OPTIONS[kind], *_MORE[kind], *_OF_ALL, *(_TURBO_READ if kind == "soap_turbo" else ())}
    return plain_names(common, known, OF_ONE_DESCRIPTOR.get(kind, {}))


def _kind(pairs: Mapping[str, str]) -> str:
    """The name of a descriptor is a key that is on."""
    found = [key for key, value in pairs.items() if key in KINDS and is_true(value, key)]
    if not found:
        raise InputError(
            f"descriptor '{next(iter(pairs), '')}' cannot be taken over", remedy=f"known: {', '.join(KINDS)}"
        )
    return found[0]


def _needed(kind: str, own: Mapping[str, str]) -> tuple[str, ...]:
    if kind == "soap_turbo" and "cutoff" in own:
        return ("l_max",)
    return _NEEDED[kind]


def _common(kind: str, own: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    """Kernel and choice of sparse points."""
    for key in ("delta", "covariance_type"):
        if key not in own:
            raise InputError(f"gives no {key}", key=kind)
    covariance = _COVARIANCES.get(own["covariance_type"].lower())
    if covariance is None:
        raise InputError(f"{kind}: covariance_type={own['covariance_type']} is not supported")
    chosen: dict[str, Any] = {
        "delta": real(own["delta"], f"{kind}: delta"),
        "sparse_method": own.get("sparse_method", "random").lower(),
    }
    if kind != "soap_turbo":
        chosen["covariance_type"] = covariance
    elif covariance != "dot_product":
        raise InputError(f"{kind}: covariance_type={covariance} is not supported")
    if chosen["sparse_method"] in _FROM_FILE:
        raise InputError(
            "takes sparse points from a file, which belong to one set of structures and not to its folds",
            key=f"{kind}: sparse_method",
            value=own["sparse_method"],
            remedy="write how they are chosen, e.g. cur_points",
        )
    for key in _FILES:
        if own.get(key) and own[key].lower() not in (key, _NONE.get(key)):
            findings.lose(f"{kind}: {key}={own[key]} is not supported.")
    wanted = ("zeta",) if covariance == "dot_product" else ("theta_uniform", "theta_fac")
    given = [key for key in ("zeta", "theta_uniform", "theta_fac") if key in own]
    if not own.get("theta_file") and (len(given) != 1 or given[0] not in wanted):
        raise InputError(
            f"covariance_type {covariance} needs {' or '.join(wanted)}, and nothing else", key=kind
        )
    for key in given:
        if key == "theta_fac" and len(parts := fields(own[key])) > 1:
            chosen["theta_factors"] = [real(part, f"{kind}: {key}") for part in parts]
            continue
        value = real(own[key], f"{kind}: {key}")
        chosen[key] = int(value) if key == "zeta" and value.is_integer() else value
    return chosen


def _more(kind: str, own: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    """Further settings that are not at their defaults."""
    known = _MORE[kind] | _OF_ALL
    used = _READ | {*_OPTIONS[kind]} | {*_FILES} | (_TURBO_READ if kind == "soap_turbo" else set())
    useless = [f"{key}={own[key]}" for key in own if key not in known and key not in used]
    if useless:
        findings.note(f"{kind}: gap_fit knows no {', '.join(useless)}: without effect.")
    return {
        key: _plain(own[key], key) for key in own if key in known and not _same(own[key], known[key], key)
    }


def _plain(value: str, key: str) -> bool | int | float | str:
    """A value as a study file has it; a key on its own is true."""
    if value == key:
        return True
    for read in (whole, real, is_true):
        with contextlib.suppress(InputError):
            return read(value, "")
    return value


def _same(value: str, default: str, key: str) -> bool:
    """Whether a value is a default, in whatever form."""
    if value == default:
        return True
    for read in (real, is_true):
        try:
            return bool(read(value, key) == read(default, key)) and default != ""
        except InputError:
            continue
    return False


_TURBO_ARRAYS = {
    "alpha_max": ("n_max",),
    "atom_sigma_r": ("atom_sigma",),
    "atom_sigma_t": ("atom_sigma",),
    "atom_sigma_r_scaling": ("atom_sigma_scaling",),
    "atom_sigma_t_scaling": ("atom_sigma_scaling",),
    "amplitude_scaling": (),
    "central_weight": (),
}
_TURBO_READ = {"cutoff", "rcut_soft", "cutoff_transition_width", "basis", "scaling_mode"} | {
    *_TURBO_ARRAYS,
    *(name for names in _TURBO_ARRAYS.values() for name in names),
}


def _turbo(own: Mapping[str, str], data: Data, findings: Findings) -> dict[str, Any]:
    """What soap_turbo has by species, or under two names."""
    hard = real(own.get("rcut_hard", own.get("cutoff", "")), "soap_turbo: rcut_hard")
    width = real(own.get("cutoff_transition_width", "0.5"), "soap_turbo: cutoff_transition_width")
    if "rcut_soft" in own:
        width = hard - real(own["rcut_soft"], "soap_turbo: rcut_soft")
    basis = own.get("basis", "poly3")
    chosen: dict[str, Any] = {"rcut_hard": hard, "rcut_width": width, "basis": basis}
    if own.get("scaling_mode", "polynomial") != "polynomial":
        findings.lose(f"soap_turbo: scaling_mode={own['scaling_mode']} is not supported.")
    around = species.around_of(own, data.elements)
    for name, others in _TURBO_ARRAYS.items():
        key = next((k for k in (name, *others) if k in own), None)
        if key is None:
            if name in ("alpha_max", "atom_sigma_r", "atom_sigma_t"):
                raise InputError(f"gives no {name}", key="soap_turbo")
            continue
        read = whole if name == "alpha_max" else real
        values = [read(word, f"soap_turbo: {key}") for word in own[key].split()]
        if len(set(values)) == 1:
            chosen[name] = values[0]
        elif len(values) == len(around):
            chosen[name] = dict(zip(around, values, strict=True))
        else:
            raise InputError(f"has {len(values)} values for {len(around)} species", key=f"soap_turbo: {key}")
    return chosen


def _others(kind: str, own: Mapping[str, str], data: Data, findings: Findings) -> list[dict[str, Any]]:
    """A descriptor without options of its own: its settings as they are, once for each that gap_fit makes of it."""
    kept = {k: v for k, v in own.items() if k in {*_READ - species.KEYS, *_FILES, "cutoff", "add_species"}}
    more: dict[str, Any] = {key: _plain(value, key) for key, value in own.items() if key not in kept}
    added = species_settings(kind, own, data.elements, findings)
    return [{"cutoff": cutoff_of(kind, own), "more": more | settings} for settings in added]
