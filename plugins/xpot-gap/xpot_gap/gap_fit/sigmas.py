"""Expected errors by group, and how gap_fit is told them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xpot_core.api import resolve
from xpot_gap.gap_fit.settings import by_group
from xpot_gap.options import GapOptions

MOST_GROUPS = 20
"""gap_fit's parser of ``config_type_sigma`` holds about 30 groups; beyond this, sigmas go with the frames."""

Sigmas = tuple[float, float, float]
"""Of energy (eV/atom), force (eV/Å) and virial (eV/atom)."""


def sigmas_by_group(options: GapOptions, groups: Iterable[str]) -> dict[str, Sigmas]:
    """Sigmas of each group, in the order in which they are given; empty if all are alike."""
    given = (options.sigma_energy, options.sigma_force, options.sigma_virial)
    order = next((list(v) for v in given if isinstance(v, dict)), None)
    if order is None:
        return {}
    return all_sigmas(options, sorted(groups, key=order.index))


def all_sigmas(options: GapOptions, groups: Iterable[str]) -> dict[str, Sigmas]:
    """Sigmas of each group."""
    given = (options.sigma_energy, options.sigma_force, options.sigma_virial)
    return {g: (resolve(given[0], g), resolve(given[1], g), resolve(given[2], g)) for g in groups}


def pool_groups(options: GapOptions) -> list[str]:
    """Groups that give sparse points together; none without a pool."""
    return next((entry.chosen.pool_groups for entry in options.descriptors if entry.chosen.pool), [])


def _told_by_group(options: GapOptions, groups: Iterable[str]) -> tuple[dict[str, Sigmas], list[Sigmas]]:
    """What stands in ``config_type_sigma``, and the different sigmas of the groups of a pool.

    Those have no name for gap_fit, which takes the pool from frames without a name.
    """
    own, shared = sigmas_by_group(options, groups), pool_groups(options)
    rest = dict.fromkeys(values for group, values in own.items() if group in shared)
    return {group: values for group, values in own.items() if group not in shared}, list(rest)


def sigmas_with_frames(options: GapOptions, groups: Iterable[str]) -> bool:
    """Whether ``config_type_sigma`` cannot hold the sigmas, so that they stand with the frames."""
    own, rest = _told_by_group(options, groups)
    return len(own) > MOST_GROUPS or len(rest) > 1


def named_sigmas(options: GapOptions, groups: Iterable[str]) -> dict[str, Sigmas]:
    """What stands in ``config_type_sigma``."""
    return {} if sigmas_with_frames(options, groups) else _told_by_group(options, groups)[0]


def sigma_arguments(options: GapOptions, names: Mapping[str, str]) -> list[str]:
    """``default_sigma`` and ``config_type_sigma``: energy, force, virial, hessian (not used).

    The values of every group are written out, so the default is never the one that counts unless
    nothing is given per group, or for the groups of a pool.
    """
    given = (options.sigma_energy, options.sigma_force, options.sigma_virial)
    rest = _told_by_group(options, names)[1]
    default = rest[0] if rest else tuple(max(v.values()) if isinstance(v, dict) else v for v in given)
    arguments = [f"default_sigma={{{' '.join(map(repr, default))} 0.0}}"]
    own = named_sigmas(options, names)
    if own:
        parts = [":".join([names[g], *map(repr, values), "0.0"]) for g, values in own.items()]
        arguments.append(f"config_type_sigma={{{by_group(parts)}}}")
    return arguments


def probe_arguments(options: GapOptions, names: Mapping[str, str], probe: Sigmas) -> list[str]:
    """Sigmas of a run whose fit does not count; the groups are named as for the fit.

    gap_fit chooses sparse points group by group in the order of ``config_type_sigma``.
    """
    values = [*map(str, probe), "0.0"]
    arguments = [f"default_sigma={{{' '.join(values)}}}"]
    by_type = any(isinstance(entry.chosen.n_sparse, dict) for entry in options.descriptors)
    own = named_sigmas(options, names)
    if by_type and own:
        parts = [":".join([names[g], *values]) for g in own]
        arguments.append(f"config_type_sigma={{{by_group(parts)}}}")
    return arguments
