"""FitSNAP's groups: it knows no missing target and no weight of single structures, so these get groups of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xpot_core.api import Frame, InputError, RowFactors, has_volume, resolve
from xpot_fitsnap.options import FitsnapOptions

BAR_PER_GPA = 1.0e4

RESERVED = {
    "name", "pt", "infile", "allowedkeys", "group_sections", "group_types", "smartweights", "group_table", "boltz",
    "random_sampling", "random_seed", "BOLTZ",
}  # fmt: skip
"""Group names that FitSNAP would take for its own settings."""


@dataclass(frozen=True)
class GroupWeights:
    """Weights of one of FitSNAP's groups; vweight per bar."""

    eweight: float
    fweight: float
    vweight: float


def group_plan(
    frames: Sequence[Frame], options: FitsnapOptions, factors: Sequence[RowFactors]
) -> tuple[list[str], dict[str, GroupWeights]]:
    """FitSNAP's group of every frame, and the weights of these groups.

    Frames that lack a target get a group with weight zero for it, and frames a group each where one has a weight of
    its own.

    Parameters
    ----------
    frames
        The structures.
    options
        With the weights of the study's groups; vweight per GPa.
    factors
        On the rows of each structure.

    Raises
    ------
    InputError
        If a mask or a sigma tells forces or virial components of one structure apart.
    """
    names: list[str] = []
    table: dict[str, GroupWeights] = {}
    scales = [_one_factor_each(frame, own) for frame, own in zip(frames, factors, strict=True)]
    single = any(scale != (1.0, 1.0, 1.0) for scale in scales)
    for i, (frame, (of_e, of_f, of_v)) in enumerate(zip(frames, scales, strict=True)):
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", frame.group) or "group"
        if not name.strip("."):
            name = name.replace(".", "_")  # . and .. are folders that are there already
        if name in RESERVED:
            name += "_"
        if single:
            name = f"{name}-{i:05d}"
        lacks = [
            kind
            for kind in ("energy", "forces", "virial")
            if getattr(frame, kind) is None or _flat(frame, kind)
        ]
        vweight = resolve(options.vweight, frame.group)
        e = 0.0 if "energy" in lacks else resolve(options.eweight, frame.group) * of_e
        f = 0.0 if "forces" in lacks else resolve(options.fweight, frame.group) * of_f
        v = 0.0 if "virial" in lacks else vweight * of_v / BAR_PER_GPA
        own = GroupWeights(e, f, v)
        if lacks and (vweight > 0 or lacks != ["virial"]):
            name += "-no-" + "-".join(lacks)
        while table.setdefault(name, own) != own:
            name += "_"  # two groups that differ only in characters FitSNAP cannot have
        names.append(name)
    return names, table


def _one_factor_each(frame: Frame, factors: RowFactors) -> tuple[float, float, float]:
    """Factors on the energy, force and virial rows of one structure."""
    found = [float(factors.energy)]
    for what, factor in (("forces", factors.forces), ("virial components", factors.virial)):
        if (factor != factor[0, 0]).any():
            raise InputError(
                f"FitSNAP cannot weigh the {what} of one structure differently, and {frame.source} asks for it",
                key="fitter",
                value="fitsnap",
                remedy="fitter: snap, or set data.keys.force_mask, force_sigma or virial_sigma to null",
            )
        found.append(float(factor[0, 0]))
    return found[0], found[1], found[2]


def _flat(frame: Frame, kind: str) -> bool:
    """Whether a virial has no volume to be divided by."""
    return kind == "virial" and not has_volume(frame.atoms)
