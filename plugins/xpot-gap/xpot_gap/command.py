"""Options -> the argument list of gap_fit. No shell ever sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

from ase.data import atomic_numbers

from xpot_core.api import InputError, resolve
from xpot_gap.options import Angle3b, DescriptorChoice, Distance2b, GapOptions, Soap, SoapTurbo
from xpot_gap.settings import by_group, descriptor_list

CORE_FILE = "core.xml"
MOST_GROUPS = 20
"""gap_fit's parser of ``config_type_sigma`` holds about 30 groups; beyond this, sigmas go with the frames."""
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
            given = by_group([f"{g}:{n}" for g, n in self.n_sparse.items() if n])
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
        unknown = [s for s in chosen.species or () if s not in elements]
        if unknown:
            raise InputError(
                f"no element '{unknown[0]}' in the data",
                key=f"descriptors.{index}.{entry.kind}.species",
                value=chosen.species,
                remedy=f"the data has {', '.join(elements)}",
            )
        n_sparse = chosen.n_sparse
        points = n_sparse if isinstance(n_sparse, int) else {names[g]: n for g, n in n_sparse.items()}
        for title, settings in _expand(entry, sorted(elements, key=lambda s: atomic_numbers[s])):
            pairs = {**settings, "delta": chosen.delta, "add_species": "F"}
            text = " ".join([entry.kind, *(f"{k}={_show(v)}" for k, v in pairs.items())])
            commands.append(DescriptorCommand(title, text, points, chosen.sparse_method))
    return commands


def _expand(entry: DescriptorChoice, elements: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Title and settings for each pair, triplet or central species; elements ascend in Z."""
    chosen = entry.chosen
    given = chosen.species
    z = atomic_numbers
    rows: list[tuple[str, dict[str, Any]]] = []
    if isinstance(chosen, Distance2b):
        common = _squared_exponential(chosen) | {"theta_uniform": chosen.theta_uniform}
        for a, b in [_by_number(given)] if given else combinations_with_replacement(elements, 2):
            rows.append((f"distance_2b {a}-{b}", {**common, "Z1": z[a], "Z2": z[b]}))
    elif isinstance(chosen, Angle3b):
        common = _squared_exponential(chosen) | {"theta_fac": chosen.theta_fac}
        pairs = list(combinations_with_replacement(elements, 2))
        triplets = (
            [(given[0], *_by_number(given[1:]))] if given else [(c, *p) for c, p in product(elements, pairs)]
        )
        for centre, a, b in triplets:
            rows.append((f"angle_3b {a}-{centre}-{b}", {**common, "Z": z[centre], "Z1": z[a], "Z2": z[b]}))
    else:
        # Doubled braces: the parser of gap={...} takes one pair away.
        numbers = f"{{{{{' '.join(str(z[s]) for s in elements)}}}}}"
        for centre in given or elements:
            position = elements.index(centre) + 1
            if isinstance(chosen, Soap):
                settings = _soap(chosen) | {"n_species": len(elements), "Z": z[centre], "species_Z": numbers}
            else:
                settings = _soap_turbo(chosen, len(elements), position, numbers)
            rows.append((f"{entry.kind} of {centre}", settings))
    return rows


def _by_number(symbols: Sequence[str]) -> list[str]:
    return sorted(symbols, key=lambda s: atomic_numbers[s])


def _squared_exponential(chosen: Distance2b | Angle3b) -> dict[str, Any]:
    return {
        "cutoff": chosen.cutoff,
        "cutoff_transition_width": chosen.cutoff_transition_width,
        "covariance_type": "ard_se",
    }


def _soap(chosen: Soap) -> dict[str, Any]:
    return {
        "cutoff": chosen.cutoff,
        "cutoff_transition_width": chosen.cutoff_transition_width,
        "atom_sigma": chosen.atom_sigma,
        "n_max": chosen.n_max,
        "l_max": chosen.l_max,
        "zeta": chosen.zeta,
        "covariance_type": "dot_product",
    }


def _soap_turbo(chosen: SoapTurbo, n_species: int, central_index: int, numbers: str) -> dict[str, Any]:
    def each(value: float) -> str:
        return f"{{{{{' '.join([_show(value)] * n_species)}}}}}"

    return {
        "rcut_hard": chosen.rcut_hard,
        "rcut_soft": chosen.rcut_hard - chosen.rcut_width,
        "l_max": chosen.l_max,
        "alpha_max": each(chosen.alpha_max),
        "atom_sigma_r": each(chosen.atom_sigma_r),
        "atom_sigma_t": each(chosen.atom_sigma_t),
        "atom_sigma_r_scaling": each(chosen.atom_sigma_r_scaling),
        "atom_sigma_t_scaling": each(chosen.atom_sigma_t_scaling),
        "amplitude_scaling": each(chosen.amplitude_scaling),
        "central_weight": each(chosen.central_weight),
        "radial_enhancement": chosen.radial_enhancement,
        "basis": "poly3gauss",
        "scaling_mode": "polynomial",
        "n_species": n_species,
        "central_index": central_index,
        "species_Z": numbers,
        "zeta": chosen.zeta,
        "covariance_type": "dot_product",
    }


def _show(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def sigmas_by_group(options: GapOptions, groups: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """Group -> sigma of energy (eV/atom), force (eV/Å) and virial (eV/atom); empty if all are alike."""
    given = (options.sigma_energy, options.sigma_force, options.sigma_virial)
    if not any(isinstance(v, dict) for v in given):
        return {}
    return all_sigmas(options, groups)


def all_sigmas(options: GapOptions, groups: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """Group -> sigma of energy (eV/atom), force (eV/Å) and virial (eV/atom)."""
    given = (options.sigma_energy, options.sigma_force, options.sigma_virial)
    return {g: (resolve(given[0], g), resolve(given[1], g), resolve(given[2], g)) for g in groups}


def sigma_arguments(options: GapOptions, names: Mapping[str, str]) -> list[str]:
    """``default_sigma`` and ``config_type_sigma``: energy, force, virial, hessian (not used).

    The values of every group are written out, so the default is never the one that counts unless
    nothing is given per group.
    """
    given = (options.sigma_energy, options.sigma_force, options.sigma_virial)
    default = " ".join(repr(max(v.values()) if isinstance(v, dict) else v) for v in given)
    arguments = [f"default_sigma={{{default} 0.0}}"]
    own = sigmas_by_group(options, names)
    if own and len(names) <= MOST_GROUPS:
        parts = [":".join([names[g], *map(repr, values), "0.0"]) for g, values in own.items()]
        arguments.append(f"config_type_sigma={{{by_group(parts)}}}")
    return arguments


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
