"""The fitter ``pod``: frames and options in, fitpod in a process of its own, a potential out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from xpot_core.api import FitError, FitRequest, FittedPotential, Frame, resolve
from xpot_pod.lammps import boxed
from xpot_pod.options import PodOptions

_CHILD = "from xpot_pod.lammps import start; start('fitpod.log').command('fitpod pod_param.pod data.pod')"
_FILES = {"parameters": "pod_param.pod", "coefficients": "pod_coefficients.pod", "include": "pod.mod"}
_FACTS = {"units": "metal", "include": "pod.mod", "directory_variable": "potential_dir"}
_INCLUDE = """variable potential_dir index .
pair_style pod
pair_coeff * * ${{potential_dir}}/pod_param.pod ${{potential_dir}}/pod_coefficients.pod {elements}
"""
_SETTINGS = """file_format extxyz
file_extension xyz
path_to_training_data_set data
fitting_regularization_parameter {ridge!r}
precision_for_pod_coefficients 16
group_weights table
{table}
# fitpod closes the file twice where the table is its last line
"""


class PodFitter:
    """Writes what fitpod reads, and runs it."""

    def fit(self, request: FitRequest) -> FittedPotential:
        """Fit to ``request.data`` and write to ``request.directory``."""
        options, folder, data = request.options, request.directory, request.data
        assert isinstance(options, PodOptions)
        own = [n for n in PodOptions.model_fields if not n.endswith("_weight") and n != "ridge"]
        lines = [f"species {' '.join(data.elements)}", "pbc 1 1 1", "onebody 1"]
        lines += [f"{name} {getattr(options, name)!r}" for name in own]
        (folder / "pod_param.pod").write_text("\n".join([*lines, ""]))
        table = "\n".join(_write_data(folder / "data", data.frames, options))
        (folder / "data.pod").write_text(_SETTINGS.format(ridge=options.ridge, table=table))
        done = subprocess.run([sys.executable, "-c", _CHILD], cwd=folder, capture_output=True, text=True)
        log = folder / "fitpod.log"
        text = (log.read_text() if log.is_file() else "") + done.stdout + done.stderr
        (folder / "fit.log").write_text(text)
        if done.returncode or not (folder / "pod_coefficients.pod").is_file():
            last = (done.stderr.strip() or text.strip() or "no output").splitlines()[-1]
            raise FitError(f"fitpod failed: {last}", remedy="see fit.log; is 'lammps[mpi]' there?", log=text)
        if "nan" in (folder / "pod_coefficients.pod").read_text().lower():
            raise FitError("fitpod gives coefficients that are no numbers", remedy="raise ridge", log=text)
        (folder / "pod.mod").write_text(_INCLUDE.format(elements=" ".join(data.elements)))
        facts = {"cutoff": options.rcut, "lammps": _FACTS}
        return FittedPotential.from_files("pod", folder, _FILES, data.elements, metadata=facts)


def _write_data(folder: Path, frames: tuple[Frame, ...], options: PodOptions) -> list[str]:
    """One file for each group and kind of labels, and its weights: a missing label weighs nothing."""
    folder.mkdir(exist_ok=True)
    groups = sorted({f.group for f in frames})
    texts: dict[str, str] = {}
    for f in frames:
        energy = resolve(options.energy_weight, f.group) if f.energy is not None else 0.0
        force = resolve(options.force_weight, f.group) if f.forces is not None else 0.0
        # Users' names of groups may hold anything, so files have numbers.
        key = f"g{groups.index(f.group)}-{f.energy is None:d}{f.forces is None:d} {energy!r} {force!r}"
        texts[key] = texts.get(key, "") + _extxyz(f, options.rcut)
    for key, text in texts.items():
        (folder / f"{key.split()[0]}.xyz").write_text(text)
    return list(texts)


def _extxyz(frame: Frame, cutoff: float) -> str:
    """The layout that fitpod reads: this order of columns, and a stress in any case."""
    atoms = boxed(frame.atoms, cutoff)
    forces = np.zeros((len(atoms), 3)) if frame.forces is None else frame.forces
    lattice = " ".join(map(repr, np.array(atoms.cell).ravel().tolist()))
    head = (
        f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={float(frame.energy or 0)!r}'
    )
    rows = np.hstack([atoms.positions, forces]).tolist()
    lines = [f"{s} {' '.join(map(repr, row))}" for s, row in zip(atoms.symbols, rows, strict=True)]
    return "\n".join([str(len(atoms)), f'{head} stress="{"0.0 " * 9}"', *lines, ""])
