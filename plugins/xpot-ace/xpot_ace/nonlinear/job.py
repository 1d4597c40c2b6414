"""What pacemaker is given: ``input.yaml``, and structures with energies, forces and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from xpot_linear import WeightOptions, energy_shifts

from xpot_ace.descriptors.environment import right_handed_cell
from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.pacemaker.potential_section import potential_section
from xpot_core.api import FitError, Frame, TrainingData, resolve

INPUT, DATA = "input.yaml", "data.pckl.gzip"


def reference_energies(options: PacemakerOptions, data: TrainingData) -> dict[str, float]:
    """Element -> energy (eV) that is no part of the fit: given, of isolated atoms, or by least squares."""
    shifts = energy_shifts(WeightOptions(energy_shift=options.energy_shift), data)
    if options.energy_shift is not None or data.reference_energies:
        return shifts
    known = [f for f in data.training().frames if f.energy is not None]
    composition = np.array([[f.atoms.symbols.count(e) for e in data.elements] for f in known], dtype=float)
    composition = composition.reshape(len(known), len(data.elements))
    energies = np.array([f.energy for f in known])
    atoms = composition.sum(axis=1)
    found = np.linalg.lstsq(composition / atoms[:, None], energies / atoms, rcond=None)[0]
    return {e: float(value) for e, value in zip(data.elements, found, strict=True)}


def write_job(
    folder: Path, options: PacemakerOptions, data: TrainingData, shifts: Mapping[str, float], seed: int
) -> None:
    """Write all files of a run.

    Parameters
    ----------
    folder
        Where pacemaker will run.
    options, data, seed
        Of the fit.
    shifts
        Element -> energy (eV) that is subtracted.

    Raises
    ------
    FitError
        If there is no energy, which pacemaker needs.
    """
    frames = data.training().frames
    if not any(f.energy is not None and resolve(options.eweight, f.group) > 0.0 for f in frames):
        raise FitError("no structure has an energy with a weight, which pacemaker needs")
    # pacemaker reads nothing but its own pickles
    table(frames, options, shifts).to_pickle(folder / DATA, compression="gzip", protocol=4)
    with_forces = any(f.forces is not None and resolve(options.fweight, f.group) > 0.0 for f in frames)
    text = yaml.safe_dump(input_file(options, data.elements, seed, with_forces), sort_keys=False)
    (folder / INPUT).write_text(text, encoding="utf-8")


def input_file(
    options: PacemakerOptions, elements: tuple[str, ...], seed: int, with_forces: bool = True
) -> dict[str, Any]:
    """The content of ``input.yaml``."""
    embedding = {
        "npot": options.npot,
        "fs_parameters": list(options.fs_parameters),
        "ndensity": len(options.fs_parameters) // 2,
    }
    potential = potential_section(options, elements, embedding)
    potential["functions"]["number_of_functions_per_element"] = options.functions
    return {
        "seed": seed,
        "potential": potential,
        # the folder is told since a variable of the environment would lead elsewhere
        "data": {"filename": DATA, "datapath": "."},
        "fit": {
            "loss": {
                "kappa": options.kappa if with_forces else 0.0,
                "L1_coeffs": options.l1_coeffs,
                "L2_coeffs": options.l2_coeffs,
            },
            "optimizer": options.optimizer,
            "maxiter": options.maxiter,
        },
        "backend": {"evaluator": options.evaluator, "batch_size": options.batch_size, "display_step": 50},
    }


def table(frames: Sequence[Frame], options: PacemakerOptions, shifts: Mapping[str, float]) -> Any:
    """The structures as pacemaker's ``pandas.DataFrame``; weights of each kind add up to one, as it wants them."""
    import pandas as pd

    energy = np.array([0.0 if f.energy is None else resolve(options.eweight, f.group) for f in frames])
    force = np.array([0.0 if f.forces is None else resolve(options.fweight, f.group) for f in frames])
    total = float(force @ [f.n_atoms for f in frames])
    rows = []
    for frame, of_energy, of_force in zip(frames, energy, force, strict=True):
        forces = np.zeros((frame.n_atoms, 3)) if frame.forces is None else np.array(frame.forces)
        rows.append(
            {
                "ase_atoms": _periodic(frame.atoms, options),
                "energy_corrected": 0.0
                if frame.energy is None
                else frame.energy - sum(shifts[s] for s in frame.atoms.symbols),
                "forces": forces,
                "w_energy": of_energy / energy.sum(),
                "w_forces": np.full(frame.n_atoms, of_force / (total or 1.0)),
            }
        )
    return pd.DataFrame(rows)


def _periodic(atoms: Atoms, options: PacemakerOptions) -> Atoms:
    """The same neighbours in a right-handed cell that is periodic in all directions."""
    cutoff = max([options.cutoff, *(bond.cutoff or 0.0 for bond in options.bonds)])
    return Atoms(atoms.symbols, atoms.positions, cell=right_handed_cell(atoms, cutoff), pbc=True)
