"""A fitted SNAP potential as files that LAMMPS reads.

Three files: coefficients, parameters, and an include with the pair style, which finds the other two through the
variable ``potential_dir``; see `xpot_lammps_session.include`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xpot_core.api import FittedPotential
from xpot_snap_model.cost import cost
from xpot_snap_model.settings import DescriptorSettings

FORMAT = "snap"


def write_potential(
    directory: Path,
    settings: DescriptorSettings,
    table: npt.NDArray[np.float64],
    constants: Mapping[str, float],
    **rest: Any,
) -> FittedPotential:
    """Write a potential.

    Parameters
    ----------
    directory
        Where to.
    settings
        Of the descriptors.
    table
        Shape (n_elements, 1 + n), as LAMMPS reads them: constant first.
    constants
        Energy (eV) per element that is added to its constant.
    **rest
        Further attributes of the `FittedPotential` (``metadata``, ``seconds``, ``notes``).
    """
    name = "".join(settings.elements)
    files = {
        "coefficients": f"{name}.snapcoeff",
        "parameters": f"{name}.snapparam",
        "include": f"{name}.mod",
    }
    table = table.copy()
    table[:, 0] += [constants.get(element, 0.0) for element in settings.elements]
    texts = {
        "coefficients": coefficient_text(settings, table),
        "parameters": parameter_text(settings),
        "include": include_text(settings, files),
    }
    for role, text in texts.items():
        (directory / files[role]).write_text(text, encoding="utf-8")
    metadata = {
        **rest.pop("metadata", {}),
        "cutoff": settings.cutoff,
        "cost": cost(settings),
        "lammps": {"units": "metal", "include": files["include"], "directory_variable": "potential_dir"},
    }
    return FittedPotential.from_files(FORMAT, directory, files, settings.elements, metadata=metadata, **rest)


def coefficient_text(settings: DescriptorSettings, table: npt.NDArray[np.float64]) -> str:
    """The ``.snapcoeff`` file.

    Parameters
    ----------
    settings
        Of the descriptors.
    table
        Shape (n_elements, 1 + n), constant first.
    """
    lines = ["# SNAP coefficients written by XPOT", "", f"{len(table)} {table.shape[1]}"]
    for element, radius, weight, row in zip(
        settings.elements, settings.radelem, settings.wj, table, strict=True
    ):
        lines.append(f"{element} {radius!r} {weight!r}")
        # 17 digits: LAMMPS must read back the very number
        lines += [f"{value:.17g}" for value in row]
    return "\n".join(lines) + "\n"


def parameter_text(settings: DescriptorSettings) -> str:
    """The ``.snapparam`` file."""
    lines = [
        "# SNAP parameters written by XPOT",
        f"rcutfac {settings.rcutfac!r}",
        f"twojmax {max(settings.twojmax)}",
        f"rfac0 {settings.rfac0!r}",
        f"rmin0 {settings.rmin0!r}",
        f"switchflag {int(settings.switch)}",
        f"bzeroflag {int(settings.bzero)}",
        f"quadraticflag {int(settings.quadratic)}",
        f"chemflag {int(settings.chem)}",
        f"bnormflag {int(settings.bnorm)}",
        f"wselfallflag {int(settings.wselfall)}",
    ]
    if settings.sinner is not None and settings.dinner is not None:
        lines.append("switchinnerflag 1")
        lines.append("sinner " + " ".join(repr(v) for v in settings.sinner))
        lines.append("dinner " + " ".join(repr(v) for v in settings.dinner))
    return "\n".join(lines) + "\n"


def include_text(settings: DescriptorSettings, files: Mapping[str, str]) -> str:
    """The include that defines the pair style."""
    elements = " ".join(settings.elements)
    paths = [f"${{potential_dir}}/{files[role]}" for role in ("coefficients", "parameters")]
    lines = [
        f"# SNAP potential for {elements} written by XPOT; units metal; atom types 1..n are {elements}",
        "# run LAMMPS in this folder, or set the variable potential_dir before including this file",
        "variable potential_dir index .",
        *settings.reference.commands("snap", f"{' '.join(paths)} {elements}"),
    ]
    return "\n".join(lines) + "\n"
