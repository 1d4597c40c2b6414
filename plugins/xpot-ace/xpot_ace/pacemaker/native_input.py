"""The same fit as an input of pacemaker itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase.io import write
from xpot_linear import energy_shifts, fit_factors, target_energies, weights_of

from xpot_ace.nonlinear.job import INPUT, write_job
from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.linear_input import Loss, linear_input
from xpot_ace.pacemaker.structures import READABLE, longest_cutoff, structure_table, write_table
from xpot_core.api import ExportRequest, FitError, TrainingData, image_of

FOLDER = "pacemaker"
_FUNCTIONS = "functions.yaml"


def pacemaker_input(request: ExportRequest) -> dict[str, str]:
    """Write input and data into a folder of their own; file name -> what it is."""
    folder, options, data = request.directory / FOLDER, request.options, request.data.training()
    constants = request.potential.metadata["constants"]
    folder.mkdir()
    try:
        if isinstance(options, PacemakerOptions):
            write_job(folder, options, data, constants, int(request.potential.metadata.get("seed", 0)))
            said = "the same fit by pacemaker itself"
        else:
            assert isinstance(options, AceOptions)
            shutil.copy(request.potential.path("basis"), folder / _FUNCTIONS)
            write_linear_job(folder, options, data, constants)
            said = "a fit of the same functions by pacemaker itself, which starts from this one"
    except FitError as error:
        shutil.rmtree(folder)
        return {FOLDER: f"not written: {error.message}"}
    write(folder / READABLE, [image_of(frame) for frame in data.frames], format="extxyz")
    return {
        f"{FOLDER}/{INPUT}": f"{said}: run `pacemaker {INPUT}` in that folder",
        f"{FOLDER}/{READABLE}": "its structures, for everybody else",
    }


def write_linear_job(
    folder: Path, options: AceOptions, data: TrainingData, constants: Mapping[str, float]
) -> None:
    """Write what makes pacemaker minimize the sum of squares that a linear fit minimizes.

    Parameters
    ----------
    folder
        Where to; holds the functions.
    options, data
        Of the fit; its frames alone.
    constants
        Element -> energy (eV) of single atoms, fitted ones too: pacemaker fits none.
    """
    energies = target_energies(data, constants)
    of_atoms = target_energies(data, energy_shifts(options, data))
    factors = fit_factors(data, of_atoms, options.boltzmann_temperature)
    weights = weights_of(options, data.groups)
    of_energy = np.zeros(len(data.frames))
    of_forces = []
    for i, (frame, factor) in enumerate(zip(data.frames, factors, strict=True)):
        if frame.energy is not None:
            of_energy[i] = (weights.of("energy", frame.group) * factor.energy) ** 2
        rows = weights.of("force", frame.group) * factor.forces
        # pacemaker has one weight for the three components
        of_forces.append((rows**2).mean(axis=1) * (frame.forces is not None))
    table = structure_table(data.frames, energies, of_energy, of_forces, longest_cutoff(options))
    write_table(folder, table)
    loss = Loss(float(of_energy.sum()), float(sum(own.sum() for own in of_forces)), options.absolute_ridge)
    content = linear_input(options, data, loss, _FUNCTIONS)
    _write(folder / INPUT, content, _differences(options))


def _write(path: Path, content: Mapping[str, Any], comments: list[str]) -> None:
    head = "".join(f"# {line}\n" for line in comments)
    path.write_text(head + yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")


def _differences(options: AceOptions) -> list[str]:
    """What a fit by pacemaker leaves out."""
    found = [f"Written by XPOT. The functions, with their coefficients, stand in {_FUNCTIONS}."]
    if options.ridge > 0.0:
        found.append(
            f"XPOT fitted with a relative ridge of {options.ridge!r}, which pacemaker does not have."
        )
    if options.smoothness > 0.0:
        found.append("XPOT fitted with a smoothness prior, which pacemaker does not have.")
    heaviest = max(options.vweight.values()) if isinstance(options.vweight, dict) else options.vweight
    if heaviest > 0.0:
        found.append("XPOT fitted to virials, too, which pacemaker does not know.")
    return found
