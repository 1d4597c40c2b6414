"""Our settings and weights as sections of a FitSNAP input, and structures as FitSNAP's records.

FitSNAP fits a constant per element if and only if ``bzeroflag`` is 0. With a constant, subtracting the
components of the isolated atom changes the coefficients but neither model nor prediction, so a fit with
constants is written with ``bzeroflag = 0``; one without constants and without the subtraction does not
exist in FitSNAP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from xpot_lammps_session.box import lammps_box
from xpot_lammps_session.session import NKTV2P
from xpot_linear import Weights
from xpot_snap_model.settings import DescriptorSettings

from xpot_core.api import Frame, InputError, RowFactors

BAR_PER_GPA = 1.0e4
RESERVED = {
    "name", "pt", "infile", "allowedkeys", "group_sections", "group_types", "smartweights", "group_table", "boltz",
    "random_sampling", "random_seed", "BOLTZ",
}  # fmt: skip
"""Group names that FitSNAP would take for its own settings."""

Sections = dict[str, dict[str, str]]


@dataclass(frozen=True)
class GroupWeights:
    """Weights of one of FitSNAP's groups; vweight per bar."""

    eweight: float
    fweight: float
    vweight: float


def fitsnap_settings(settings: DescriptorSettings) -> DescriptorSettings:
    """The equivalent settings that FitSNAP can express."""
    if settings.constant:
        return replace(settings, bzero=False)
    if not settings.bzero:
        raise InputError(
            "FitSNAP always fits constant energies with bzeroflag 0",
            key="constant",
            value=False,
            remedy="set constant: true, or bzero: true",
        )
    if settings.chem and settings.quadratic:
        raise InputError("FitSNAP has no quadratic SNAP with explicit elements", key="chem", value=True)
    return settings


def sections(
    settings: DescriptorSettings,
    groups: Mapping[str, GroupWeights],
    shifts: Mapping[str, float],
    *,
    name: str,
    data_path: str,
) -> Sections:
    """A FitSNAP input.

    Parameters
    ----------
    settings
        As `fitsnap_settings` gives.
    groups
        FitSNAP group -> weights.
    shifts
        Element -> energy (eV) that is subtracted from the energies.
    name
        Stem of the files that FitSNAP writes.
    data_path
        Folder with one folder of JSON files per group.
    """
    stress = any(w.vweight > 0 for w in groups.values())
    bispectrum = {
        "numTypes": str(len(settings.elements)),
        "twojmax": " ".join(str(t) for t in settings.twojmax),
        "rcutfac": repr(settings.rcutfac),
        "rfac0": repr(settings.rfac0),
        "rmin0": repr(settings.rmin0),
        "wj": " ".join(repr(w) for w in settings.wj),
        "radelem": " ".join(repr(r) for r in settings.radelem),
        "type": " ".join(settings.elements),
        "wselfallflag": str(int(settings.wselfall)),
        "chemflag": str(int(settings.chem)),
        "bzeroflag": str(int(settings.bzero)),
        "quadraticflag": str(int(settings.quadratic)),
        "bnormflag": str(int(settings.bnorm)),
        "switchflag": str(int(settings.switch)),
    }
    if settings.sinner is not None and settings.dinner is not None:
        bispectrum["switchinnerflag"] = "1"
        bispectrum["sinner"] = " ".join(repr(v) for v in settings.sinner)
        bispectrum["dinner"] = " ".join(repr(v) for v in settings.dinner)
    style, *coefficients = settings.pair_commands()
    reference = {"units": "metal", "atom_style": "atomic", "pair_style": style.removeprefix("pair_style ")}
    for i, line in enumerate(coefficients, start=1):
        reference[f"pair_coeff{i}"] = line.removeprefix("pair_coeff ")
    table = {
        "group_sections": "name training_size testing_size eweight fweight vweight",
        "group_types": "str float float float float float",
        "smartweights": "0",
        "random_sampling": "0",
    }
    for group, w in groups.items():
        table[group] = f"1.0 0.0 {w.eweight!r} {w.fweight!r} {w.vweight!r}"
    return {
        "BISPECTRUM": bispectrum,
        "CALCULATOR": {
            "calculator": "LAMMPSSNAP",
            "energy": "1",
            "force": "1",
            "stress": str(int(stress)),
        },
        "ESHIFT": {e: repr(-float(shifts.get(e, 0.0))) for e in settings.elements},
        "SOLVER": {"solver": "SVD", "compute_testerrs": "0", "detailed_errors": "0"},
        "SCRAPER": {"scraper": "JSON"},
        "PATH": {"dataPath": data_path},
        "OUTFILE": {"metrics": f"{name}_metrics.md", "potential": name},
        "REFERENCE": reference,
        "GROUPS": table,
        "EXTRAS": {"dump_descriptors": "0", "dump_truth": "0", "dump_weights": "0", "dump_dataframe": "0"},
        "MEMORY": {"override": "0"},
    }


def to_text(content: Sections, comments: Sequence[str] = ()) -> str:
    """The sections as a file."""
    lines = [f"# {comment}" for comment in comments]
    for section, values in content.items():
        lines += ["", f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


StructureFactors = tuple[float, float, float]
"""Factors on the energy, force and virial rows of one structure."""


def structure_factors(
    frames: Sequence[Frame], factors: Sequence[RowFactors]
) -> list[StructureFactors] | None:
    """Factors on the rows of each structure as far as FitSNAP can have them; None if all are one.

    Parameters
    ----------
    frames
        The structures.
    factors
        On their rows, by sigmas, masks and weights.

    Raises
    ------
    InputError
        If a mask or a sigma tells forces or virial components of one structure apart.
    """
    found = []
    for frame, own in zip(frames, factors, strict=True):
        for what, factor in (("forces", own.forces), ("virial components", own.virial)):
            if (factor != factor[0, 0]).any():
                raise InputError(
                    f"FitSNAP cannot weigh the {what} of one structure differently, and {frame.source} asks for it",
                    key="engine",
                    value="fitsnap",
                    remedy="engine: lammps, or set data.keys.force_mask, force_sigma or virial_sigma to null",
                )
        found.append((own.energy, float(own.forces[0, 0]), float(own.virial[0, 0])))
    return None if all(f == (1.0, 1.0, 1.0) for f in found) else found


def group_plan(
    frames: Sequence[Frame], weights: Weights, factors: Sequence[StructureFactors] | None = None
) -> tuple[list[str], dict[str, GroupWeights]]:
    """FitSNAP's group of every frame, and the weights of these groups.

    FitSNAP knows no missing target and no weight per structure: frames that lack one get a group
    with weight zero for it, frames with a weight of their own a group of their own.

    Parameters
    ----------
    frames
        The structures.
    weights
        Of the study's groups; vweight per GPa.
    factors
        Of each structure, if any has its own.
    """
    names: list[str] = []
    table: dict[str, GroupWeights] = {}
    for i, frame in enumerate(frames):
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", frame.group) or "group"
        if not name.strip("."):
            name = name.replace(".", "_")  # . and .. are folders that are there already
        of_e = of_f = of_v = 1.0
        if name in RESERVED:
            name += "_"
        if factors is not None:
            name, (of_e, of_f, of_v) = f"{name}-{i:05d}", factors[i]
        lacks = [
            kind
            for kind in ("energy", "forces", "virial")
            if getattr(frame, kind) is None or _flat(frame, kind)
        ]
        e = 0.0 if "energy" in lacks else weights.of("energy", frame.group) * of_e
        f = 0.0 if "forces" in lacks else weights.of("force", frame.group) * of_f
        v = 0.0 if "virial" in lacks else weights.of("virial", frame.group) * of_v / BAR_PER_GPA
        own = GroupWeights(e, f, v)
        if lacks and (weights.of("virial", frame.group) > 0 or lacks != ["virial"]):
            name += "-no-" + "-".join(lacks)
        while table.setdefault(name, own) != own:
            name += "_"  # two groups that differ only in characters FitSNAP cannot have
        names.append(name)
    return names, table


def _flat(frame: Frame, kind: str) -> bool:
    """Whether a virial has no volume to be divided by."""
    return kind == "virial" and abs(np.linalg.det(np.array(frame.atoms.cell))) < 1e-3


def record(frame: Frame, cutoff: float, lammps_frame: bool | None = None) -> dict[str, Any]:
    """One structure as FitSNAP's JSON files have it: Å, eV, eV/Å, bar.

    Parameters
    ----------
    frame
        The structure; missing targets become zero.
    cutoff
        Å. FitSNAP repeats every structure in all directions: open ones get that much vacuum.
    lammps_frame
        Rotate to LAMMPS' frame; by default only where FitSNAP could not do it itself (left-handed
        cells, open directions).
    """
    atoms = frame.atoms
    cell = np.array(atoms.cell)
    positions = np.array(atoms.positions)
    forces = np.zeros_like(positions) if frame.forces is None else np.array(frame.forces)
    virial = np.zeros((3, 3)) if frame.virial is None else np.array(frame.virial)
    volume = abs(np.linalg.det(cell))
    if lammps_frame is None:
        lammps_frame = not atoms.pbc.all() or np.linalg.det(cell) <= 0
    if lammps_frame:
        box = lammps_box(positions, cell, atoms.pbc, frame.source, padding=cutoff)
        cell, positions = box.cell, box.positions
        forces, virial = box.vectors_to_lammps(forces), box.tensor_to_lammps(virial)
        # FitSNAP divides by the volume of the box it sees
        volume = box.box_volume
    return {
        "Positions": positions.tolist(),
        "AtomTypes": list(atoms.symbols),
        "Lattice": cell.tolist(),
        "Energy": 0.0 if frame.energy is None else float(frame.energy),
        "Forces": forces.tolist(),
        "Stress": (0.5 * (virial + virial.T) * (NKTV2P / volume)).tolist(),
        "NumAtoms": len(atoms),
    }
