"""Options -> the argument list of gap_fit. No shell ever sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

from ase.data import atomic_numbers

from xpot_core.api import InputError, resolve
from xpot_gap.descriptors.choice import DescriptorChoice
from xpot_gap.descriptors.declare import ANY, POOL
from xpot_gap.descriptors.distances import Angle3b, Distance2b, DistanceNb
from xpot_gap.descriptors.soap import Soap
from xpot_gap.descriptors.soap_turbo import SoapTurbo
from xpot_gap.gap_fit.settings import by_group, descriptor_list
from xpot_gap.gap_fit.sigmas import pool_groups
from xpot_gap.options import GapOptions

CORE_FILE = "core.xml"
MOST_SPARSE_GROUPS = 100
"""gap_fit's parser of ``config_type_n_sparse`` holds 200 fields, two for each group."""

_LONGEST_NAME = 60
# Words that mean something to gap_fit when they stand as a config type, or that it reads as numbers or logicals
# where it looks for text.
_RESERVED = {"default", "isolated_atom", "t", "f", "true", "false", "nan", "inf", "infinity"}


@dataclass(frozen=True)
class DescriptorCommand:
    """One descriptor of the command, for one pair, triplet or central species.

    Attributes
    ----------
    title
        For messages: ``soap of Si``.
    settings
        Key -> value as gap_fit reads it, without the choice of sparse points.
    n_sparse
        Number of sparse points, or a number for each config type (names as in the data file).
    sparse_method
        How they are chosen.
    sparse_file
        File with the sparse points themselves instead of a choice.
    """

    title: str
    settings: str
    n_sparse: int | Mapping[str, int]
    sparse_method: str
    sparse_file: str | None = None

    @property
    def n_sparse_total(self) -> int:
        """Number of sparse points asked for; gap_fit takes fewer from a group that has fewer environments."""
        return self.n_sparse if isinstance(self.n_sparse, int) else sum(self.n_sparse.values())

    @property
    def n_sparse_at_once(self) -> int:
        """Largest number of sparse points asked of the same environments: of all, or of one group."""
        return self.n_sparse if isinstance(self.n_sparse, int) else max(self.n_sparse.values())

    @property
    def text(self) -> str:
        """The descriptor as it stands between the braces of ``gap={...}``."""
        if self.sparse_file:
            return f"{self.settings} sparse_method=file sparse_file={self.sparse_file}"
        if isinstance(self.n_sparse, int):
            number = f"n_sparse={self.n_sparse}"
        else:
            # A group that is not named has a part in the pool.
            given = by_group([f"{g}:{n}" for g, n in self.n_sparse.items() if n or POOL in self.n_sparse])
            number = f"config_type_n_sparse={{{{{given}}}}}"
        return f"{self.settings} {number} sparse_method={self.sparse_method}"


def safe_names(groups: Sequence[str]) -> dict[str, str]:
    """Group -> a config type that survives gap_fit's parser.

    It splits at blanks, colons and braces, and takes ``1``, ``T`` or ``nan`` for something else than text, so that
    such a frame has no config type. Names that are safe already stay as they are.
    """
    names: dict[str, str] = {}
    for group in groups:
        name = re.sub(r"[^A-Za-z0-9_.+-]", "_", group)[:_LONGEST_NAME]
        if name.lower() in _RESERVED or not re.match(r"[A-Za-z_]", name):
            name = f"group_{name}"
        stem, count = name, 1
        while name in names.values():
            count += 1
            name = f"{stem}_{count}"
        names[group] = name
    return names


def describe_descriptors(
    options: GapOptions, elements: Sequence[str], names: Mapping[str, str]
) -> list[DescriptorCommand]:
    """Expand the descriptors over pairs, triplets and central species.

    Parameters
    ----------
    options
        Options of the fit.
    elements
        Chemical symbols of the whole study.
    names
        Group -> config type in the data file.
    """
    commands = []
    for index, entry in enumerate(options.descriptors):
        chosen = entry.chosen
        named = [*(chosen.wanted_species or ()), *neighbours(chosen, ()), *getattr(chosen, "shared_by", ())]
        unknown = [s for s in named if s not in (*elements, ANY)]
        if unknown:
            raise InputError(
                f"no element '{unknown[0]}' in the data",
                key=f"descriptors.{index}.{entry.kind}",
                value=named,
                remedy=f"the data has {', '.join(elements)}",
            )
        n_sparse = chosen.n_sparse
        points = n_sparse
        if not isinstance(n_sparse, int):
            shared = pool_groups(options)
            points = {names[g]: n for g, n in n_sparse.items() if g not in shared}
            if chosen.pool:
                points[POOL] = chosen.pool
        for title, settings in _expand(entry, sorted(elements, key=lambda s: atomic_numbers[s])):
            pairs = {**settings, **chosen.more, "delta": chosen.delta, "add_species": False}
            text = " ".join([entry.kind, *(f"{k}={_show(v)}" for k, v in pairs.items())])
            commands.append(DescriptorCommand(title, text, points, chosen.sparse_method))
    return commands


def neighbours(chosen: Any, elements: Sequence[str]) -> list[str]:
    """The species that the environments of a descriptor are made of; `elements` where it does not say."""
    given = getattr(chosen, "neighbours", None)
    return [given] if isinstance(given, str) else list(given or elements)


_NUMBER = {**atomic_numbers, ANY: 0}


def _expand(entry: DescriptorChoice, elements: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Title and settings for each pair, triplet, cluster or central species; elements ascend in Z."""
    chosen = entry.chosen
    given = chosen.wanted_species
    z = _NUMBER
    rows: list[tuple[str, dict[str, Any]]] = []
    if isinstance(chosen, Distance2b):
        for a, b in [_by_number(given)] if given else combinations_with_replacement(elements, 2):
            rows.append((f"distance_2b {a}-{b}", _fading(chosen) | {"Z1": z[a], "Z2": z[b]}))
    elif isinstance(chosen, Angle3b):
        pairs = list(combinations_with_replacement(elements, 2))
        triplets = (
            [(given[0], *_by_number(given[1:]))] if given else [(c, *p) for c, p in product(elements, pairs)]
        )
        for centre, a, b in triplets:
            settings = _fading(chosen) | {"Z": z[centre], "Z1": z[a], "Z2": z[b]}
            rows.append((f"angle_3b {a}-{centre}-{b}", settings))
    elif isinstance(chosen, DistanceNb):
        common = {"order": chosen.order, "compact_clusters": chosen.compact_clusters} | _fading(chosen)
        for cluster in [given] if given else combinations_with_replacement(elements, chosen.order):
            rows.append((f"distance_Nb {'-'.join(cluster)}", {**common, "Z": _numbers(cluster)}))
    elif isinstance(chosen, Soap) and chosen.shared_by:
        around = neighbours(chosen, elements)
        settings = {"n_species": len(around), "species_Z": _numbers(around)}
        settings |= {"n_Z": len(chosen.shared_by), "Z": _numbers(chosen.shared_by)}
        rows.append((f"soap of {', '.join(chosen.shared_by)}", _soap(chosen) | settings))
    elif isinstance(chosen, Soap | SoapTurbo):
        around = neighbours(chosen, elements)
        for centre in given or elements:
            settings = _soap(chosen) if isinstance(chosen, Soap) else _soap_turbo(chosen, around)
            settings |= {"n_species": len(around), "species_Z": _numbers(around)}
            if isinstance(chosen, Soap):
                settings["Z"] = z[centre]
            else:
                settings["central_index"] = around.index(centre) + 1
            rows.append((f"{entry.kind} of {centre}", settings))
    else:
        rows.append((entry.kind, {"cutoff": chosen.cutoff} | chosen.hyperparameters))
    return rows


def _by_number(symbols: Sequence[str]) -> list[str]:
    return sorted(symbols, key=lambda s: _NUMBER[s])


def _numbers(symbols: Sequence[str]) -> list[int]:
    return [_NUMBER[s] for s in symbols]


def _fading(chosen: Distance2b | Angle3b | DistanceNb) -> dict[str, Any]:
    return {
        "cutoff": chosen.cutoff,
        "cutoff_transition_width": chosen.cutoff_transition_width,
        **chosen.hyperparameters,
    }


def _soap(chosen: Soap) -> dict[str, Any]:
    settings = {
        "cutoff": chosen.cutoff,
        "cutoff_transition_width": chosen.cutoff_transition_width,
        "atom_sigma": chosen.atom_sigma,
        "n_max": chosen.n_max,
        "l_max": chosen.l_max,
        **chosen.hyperparameters,
    }
    if chosen.central_weight != 1.0:
        settings["central_weight"] = chosen.central_weight
    if not chosen.normalise:
        settings["normalise"] = False
    return settings


_OF_SPECIES = (
    "alpha_max",
    "atom_sigma_r",
    "atom_sigma_t",
    "atom_sigma_r_scaling",
    "atom_sigma_t_scaling",
    "amplitude_scaling",
    "central_weight",
)


def _soap_turbo(chosen: SoapTurbo, around: Sequence[str]) -> dict[str, Any]:
    return {
        "rcut_hard": chosen.rcut_hard,
        "rcut_soft": chosen.rcut_hard - chosen.rcut_width,
        "l_max": chosen.l_max,
        **{name: [resolve(getattr(chosen, name), s) for s in around] for name in _OF_SPECIES},
        "radial_enhancement": chosen.radial_enhancement,
        "basis": chosen.basis,
        "scaling_mode": "polynomial",
        **chosen.hyperparameters,
    }


def _show(value: Any) -> str:
    """A value inside ``gap={...}``, whose parser takes one pair of braces away."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, list):
        return f"{{{{{' '.join(map(_show, value))}}}}}"
    if isinstance(value, str) and " " in value:
        return f"{{{{{value}}}}}"
    return repr(value) if isinstance(value, float) else str(value)


def gap_fit_arguments(
    options: GapOptions,
    descriptors: Sequence[DescriptorCommand],
    *,
    sigmas: Sequence[str],
    e0: Mapping[str, float],
    seed: int,
    data_file: str,
    xml_file: str,
    extra: Sequence[str] = (),
) -> list[str]:
    """The arguments of one gap_fit run; every file name is relative to its working folder."""
    arguments = [
        f"at_file={data_file}",
        f"gap={{{descriptor_list([d.text for d in descriptors])}}}",
        *sigmas,
        f"e0={{{':'.join(f'{s}:{value!r}' for s, value in e0.items())}}}",
        f"sparse_jitter={options.sparse_jitter!r}",
        # The generator takes a positive 32-bit number; -1 would mean the clock.
        f"rnd_seed={seed % 2_147_483_646 + 1}",
        "energy_parameter_name=energy",
        "force_parameter_name=force",
        "virial_parameter_name=virial",
        "config_type_parameter_name=config_type",
        # Otherwise parts of the potential would stand in further files, and the data in the XML.
        "sparse_separate_file=F",
        "do_copy_at_file=F",
        f"gp_file={xml_file}",
    ]
    if options.core_param_file:
        arguments += [f"core_param_file={CORE_FILE}", f"core_ip_args={{{options.core_ip_args}}}"]
    return arguments + list(extra)
