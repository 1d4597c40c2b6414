"""How a silicon structure is computed with Quantum ESPRESSO: settings, and pw.x with a cache.

See ``make_silicon_data.py``, which does it for all structures.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.espresso import Espresso, EspressoProfile

PSEUDO = "Si.pbe-rrkj.UPF"

# Boxes with vacuum: their virial depends on the arbitrary box, so it is not given.
NO_VIRIAL = {"surface", "dimer", "isolated_atom"}
MOLECULES = {"dimer", "isolated_atom"}
# Metallic groups need denser k-points than diamond (see the convergence table in the README).
KSPACING = {"liquid": 0.25, "phases": 0.20}


@dataclass(frozen=True)
class Settings:
    """What decides the DFT result besides the structure. Part of the cache key."""

    ecutwfc: float = 24.0  # Ry; the density cut-off is four times this (norm-conserving)
    degauss: float = 0.01  # Ry, cold smearing (Marzari-Vanderbilt) for every structure
    kpoints: tuple[int, int, int] | None = None  # None: the Gamma point only
    shift: tuple[int, int, int] = (0, 0, 0)
    spin: float = 0.0  # starting_magnetization of pw.x, -1 to 1; 0: not spin-polarised
    pseudo: str = PSEUDO
    conv_thr: float = 1e-8  # Ry per cell; force errors stay below 1e-3 eV/Å


def settings_for(atoms: Atoms) -> Settings:
    """The production settings of a structure."""
    group = atoms.info["config_type"]
    if group in MOLECULES:
        return Settings()
    spacing = KSPACING.get(group, 0.30)  # 1/Å, with the factor 2 pi
    if group == "phases" and len(atoms) > 1:
        spacing = 0.25
    lengths = 2 * np.pi * np.linalg.norm(np.asarray(atoms.cell.reciprocal()), axis=1)
    grid = [int(np.ceil(length / spacing)) for length in lengths]
    # A shifted grid converges faster, but breaks the symmetry of hexagonal cells in the plane.
    hexagonal = any(abs(atoms.cell.angles()[2] - angle) < 1e-3 for angle in (60, 120)) and np.allclose(
        atoms.cell.angles()[:2], 90
    )
    shift = [0, 0, 1] if hexagonal else [1, 1, 1]
    if group == "surface":
        grid[2], shift[2] = 1, 0
    return Settings(kpoints=(grid[0], grid[1], grid[2]), shift=(shift[0], shift[1], shift[2]))


class NotConvergedError(RuntimeError):
    """pw.x ended without a converged density."""


@dataclass
class Runner:
    """Runs pw.x through ASE, one calculation at a time, with a cache."""

    work: Path
    pseudo_dir: Path
    command: str = "pw.x"

    def _key(self, atoms: Atoms, settings: Settings) -> str:
        digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
        for array in (atoms.cell.array, atoms.positions):
            # Rounded (and without negative zeros), so that the last bits do not decide.
            digest.update((np.round(array, 8) + 0.0).tobytes())
        return digest.hexdigest()[:16]

    def cached(self, atoms: Atoms, settings: Settings) -> dict[str, Any] | None:
        """The stored result, or None."""
        path = self.work / "cache" / f"{self._key(atoms, settings)}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def run(self, atoms: Atoms, settings: Settings) -> dict[str, Any]:
        """Energy (eV), forces (eV/Å), stress (eV/Å^3, ASE's sign), seconds, k-points and iterations."""
        stored = self.cached(atoms, settings)
        if stored is not None:
            if "failed" in stored:
                raise NotConvergedError(stored["failed"])
            return stored
        key = self._key(atoms, settings)
        scratch = self.work / "scf" / key
        system: dict[str, Any] = {
            "ecutwfc": settings.ecutwfc,
            "occupations": "smearing",
            "smearing": "mv",
            "degauss": settings.degauss,
        }
        if settings.spin:
            system["nspin"] = 2
        control = {"calculation": "scf", "tprnfor": True, "tstress": True, "disk_io": "none"}
        electrons = {
            "conv_thr": settings.conv_thr,
            "mixing_beta": 0.5 if atoms.info.get("config_type") in NO_VIRIAL else 0.7,
            "electron_maxstep": 150,
        }
        job = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
        if settings.spin:
            # ASE writes the atoms' moments as starting_magnetization, over what input_data says.
            job.set_initial_magnetic_moments([settings.spin] * len(job))
        job.calc = Espresso(
            profile=EspressoProfile(command=self.command, pseudo_dir=str(self.pseudo_dir.resolve())),
            pseudopotentials={"Si": settings.pseudo},
            input_data={"control": control, "system": system, "electrons": electrons},
            kpts=settings.kpoints,
            koffset=settings.shift,
            directory=str(scratch),
        )
        begin = time.perf_counter()
        error = ""
        try:
            job.get_potential_energy()
        except (subprocess.CalledProcessError, AssertionError, IndexError, KeyError, ValueError) as exc:
            error = f"{type(exc).__name__}: {exc}"
        output = scratch / "espresso.pwo"
        text = output.read_text() if output.exists() else ""
        result: dict[str, Any]
        if error or "convergence has been achieved" not in text or "JOB DONE" not in text:
            result = {"failed": error or "SCF not converged"}
        else:
            result = {
                "energy": float(job.calc.results["energy"]),
                "forces": job.calc.results["forces"].tolist(),
                "stress": job.get_stress(voigt=False).tolist(),
                "seconds": round(time.perf_counter() - begin, 2),
                "nk": int(re.findall(r"number of k points=\s*(\d+)", text)[0]),
                "iterations": int(re.findall(r"achieved in\s+(\d+) iterations", text)[-1]),
                "version": re.findall(r"Program PWSCF v\.(\S+)", text)[0],
            }
        path = self.work / "cache" / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result))
        if "failed" in result:
            raise NotConvergedError(result["failed"])
        return result


def labelled(atoms: Atoms, settings: Settings, result: dict[str, Any]) -> Atoms:
    """The structure with its DFT results under the project's keys."""
    out = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
    grid = "Gamma" if settings.kpoints is None else " ".join(map(str, settings.kpoints + settings.shift))
    group = atoms.info["config_type"]
    out.info = {"config_type": group}
    out.info |= {k: atoms.info[k] for k in ("structure_id", "split") if k in atoms.info}
    out.info["REF_energy"] = result["energy"]
    if group not in NO_VIRIAL:
        # Positive under compression. Flat: ASE writes 3x3 arrays as JSON, which gap_fit cannot read.
        out.info["REF_virial"] = (-atoms.get_volume() * np.array(result["stress"])).ravel()
    out.info["calculator"] = (
        f"QE {result['version']} PBE {settings.pseudo} {settings.ecutwfc:g}Ry mv{settings.degauss:g}Ry"
    )
    out.info["kpoints"] = grid
    out.arrays["REF_forces"] = np.array(result["forces"])
    return out
