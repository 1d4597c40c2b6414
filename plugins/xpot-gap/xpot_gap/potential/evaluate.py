"""Evaluates a potential in a process of its own: ``python -m xpot_gap.potential.evaluate INPUT OUTPUT``.

quippy stops the whole process where it does not like something, so it never runs in a worker.
This module imports nothing of the plugin.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(source: str, target: str) -> None:
    """Read structures from an npz file, write energies, forces, virials and variances to another.

    Parameters
    ----------
    source
        ``xml``, ``variance``, ``counts`` (n_frames,), ``numbers`` (n_atoms,), ``positions``
        (n_atoms, 3) in Å, ``cells`` (n_frames, 3, 3) in Å.
    target
        ``energies`` (n_frames,) in eV, ``forces`` (n_atoms, 3) in eV/Å, ``virials`` (n_frames, 3, 3) in eV,
        ``variances`` (n_frames,) in eV^2, zero unless asked for.
    """
    from ase import Atoms
    from quippy.potential import Potential

    with np.load(source) as data:
        given: dict[str, Any] = dict(data)
    variance = bool(given["variance"])
    # quippy cannot read a path with letters beyond ASCII; a bare name in this process' own folder it can.
    xml = Path(str(given["xml"]))
    os.chdir(xml.parent)
    model = Potential(param_filename=xml.name)
    ends = np.cumsum(given["counts"])
    n = len(ends)
    energies, variances = np.zeros(n), np.zeros(n)
    forces, virials = np.zeros((len(given["numbers"]), 3)), np.zeros((n, 3, 3))
    for i, (count, end) in enumerate(zip(given["counts"], ends, strict=True)):
        part = slice(end - count, end)
        atoms = Atoms(given["numbers"][part], given["positions"][part], cell=given["cells"][i], pbc=True)
        arguments = {"local_gap_variance": "local_gap_variance"} if variance else {}
        model.calculate(atoms, ["energy", "forces", "stress"], ["positions"], **arguments)
        energies[i] = model.results["energy"]
        forces[part] = model.results["forces"]
        virials[i] = model.extra_results["config"]["virial"]
        if variance:
            variances[i] = np.sum(model.extra_results["atoms"]["local_gap_variance"])
    np.savez(target, energies=energies, forces=forces, virials=virials, variances=variances)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
