"""The files of a potential: for LAMMPS and ASE, and as pacemaker has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpot_linear import LinearModel

from xpot_ace.descriptors.basis import AceBasis
from xpot_core.api import FittedPotential

FORMAT = "yace"


def write_potential(directory: Path, basis: AceBasis, model: LinearModel, **facts: Any) -> FittedPotential:
    """Write a linear potential.

    Parameters
    ----------
    directory
        Where to.
    basis, model
        Its functions and what was fitted.
    **facts
        Further attributes of the `FittedPotential`.
    """
    values = dict(zip(basis.keys, model.coefficients.tolist(), strict=True))
    return potential_of(basis.functions.with_coefficients(values), model.constants, directory, **facts)


def potential_of(
    basis_set: Any, constants: Mapping[str, float], directory: Path, **facts: Any
) -> FittedPotential:
    """Write a potential.

    Parameters
    ----------
    basis_set
        ``pyace.ACEBBasisSet`` with its coefficients.
    constants
        Element -> energy of a single atom, eV, in the order of the potential's elements.
    directory
        Where to.
    **facts
        Further attributes of the `FittedPotential`.
    """
    elements = tuple(constants)
    name = "".join(elements)
    files = {"potential": f"{name}.yace", "basis": f"{name}.yaml", "include": f"{name}.mod"}
    basis_set.save(str(directory / files["basis"]))
    path = directory / files["potential"]
    basis_set.to_ACECTildeBasisSet().save_yaml(str(path))
    path.write_text(_with_constants(path.read_text(encoding="utf-8"), constants), encoding="utf-8")
    (directory / files["include"]).write_text(include_text(files["potential"], elements), encoding="utf-8")
    metadata = {
        **facts.pop("metadata", {}),
        "cutoff": float(basis_set.cutoffmax),
        "functions": {
            e: len(a) + len(b)
            for e, a, b in zip(elements, basis_set.basis_rank1, basis_set.basis, strict=True)
        },
        "constants": dict(constants),
    }
    return FittedPotential.from_files(FORMAT, directory, files, elements, metadata=metadata, **facts)


def include_text(potential: str, elements: tuple[str, ...]) -> str:
    """The LAMMPS include that defines the pair style."""
    names = " ".join(elements)
    lines = [
        f"# ACE potential for {names} written by XPOT; units metal; atom types 1..n are {names}",
        "# needs a LAMMPS with the package ML-PACE",
        "# run LAMMPS in this folder, or set the variable potential_dir before including this file",
        "variable potential_dir index .",
        "pair_style pace",
        f"pair_coeff * * ${{potential_dir}}/{potential} {names}",
    ]
    return "\n".join(lines) + "\n"


def _with_constants(text: str, constants: Mapping[str, float]) -> str:
    """The energies of single atoms, which python-ace reads but cannot set."""
    # 17 digits: the very number must be read back
    values = ", ".join(f"{value:.17g}" for value in constants.values())
    text, found = re.subn(r"^E0: \[.*\]$", f"E0: [{values}]", text, count=1, flags=re.MULTILINE)
    if not found:
        raise RuntimeError("python-ace wrote a .yace file without E0")
    return text
