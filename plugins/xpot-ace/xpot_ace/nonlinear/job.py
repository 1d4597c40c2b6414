"""What pacemaker is given: ``input.yaml``, and structures with energies, forces and weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from xpot_linear import WeightOptions, energy_shifts, target_energies

from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.pacemaker.own_words import OwnWords
from xpot_ace.pacemaker.potential_section import potential_section
from xpot_ace.pacemaker.structures import DATA, longest_cutoff, structure_table, write_table
from xpot_core.api import TrainingData, resolve

INPUT = "input.yaml"


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
    known = data.training()
    write_table(folder, table(known, options, shifts))
    with_forces = any(f.forces is not None and resolve(options.fweight, f.group) > 0.0 for f in known.frames)
    text = yaml.safe_dump(input_file(options, known, seed, with_forces), sort_keys=False)
    (folder / INPUT).write_text(text, encoding="utf-8")


def input_file(
    options: PacemakerOptions, data: TrainingData, seed: int, with_forces: bool = True
) -> dict[str, Any]:
    """The content of ``input.yaml``."""
    embedding = {
        "npot": options.npot,
        "fs_parameters": list(options.fs_parameters),
        "ndensity": len(options.fs_parameters) // 2,
    }
    potential = potential_section(options, data.elements, embedding)
    potential["functions"]["number_of_functions_per_element"] = options.functions
    return {
        "seed": seed,
        "metadata": OwnWords.of(options, data).section(),
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


def table(data: TrainingData, options: PacemakerOptions, shifts: Mapping[str, float]) -> Any:
    """The structures for pacemaker, weighted by group."""
    frames = data.frames
    energy = [0.0 if f.energy is None else resolve(options.eweight, f.group) for f in frames]
    force = [0.0 if f.forces is None else resolve(options.fweight, f.group) for f in frames]
    return structure_table(
        frames,
        target_energies(data, shifts),
        np.array(energy, dtype=float),
        [np.full(f.n_atoms, weight) for f, weight in zip(frames, force, strict=True)],
        longest_cutoff(options),
    )
