"""The predictor ``pod`` and an ASE calculator, both through LAMMPS' ``pair_style pod``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lammps import Prism
from ase.stress import full_3x3_to_voigt_6_stress

from xpot_core.api import FittedPotential, FloatArray, Frame, NoOptions, PredictError, Predictions
from xpot_pod.session import boxed, lammps

_EV = 1 / 1.6021765e6  # eV/Å^3 per bar, as LAMMPS' units metal have it
_BOX = (
    "clear; units metal; atom_style atomic; atom_modify map array sort 0 0; box tilt large;"
    "region box prism 0 {} 0 {} 0 {} {} {} {} units box; create_box {} box"
)


def evaluate(
    potential: FittedPotential, structures: Sequence[Atoms]
) -> list[tuple[float, FloatArray, FloatArray]]:
    """Energy (eV), forces (eV/Å) and virial (eV) of each structure."""
    found = []
    with tempfile.TemporaryDirectory() as place:  # LAMMPS reads neither blanks nor all letters in paths
        for role in ("parameters", "coefficients"):
            shutil.copyfile(potential.path(role), Path(place) / role)
        lmp = lammps()
        try:
            for atoms in structures:
                found.append(_one(lmp, potential, place, boxed(atoms, potential.metadata["cutoff"])))
        except Exception as error:
            raise PredictError(f"LAMMPS: {error}") from error
        finally:
            lmp.close()
    return found


def _one(
    lmp: Any, potential: FittedPotential, place: str, atoms: Atoms
) -> tuple[float, FloatArray, FloatArray]:
    prism, n, types = Prism(atoms.cell), len(atoms), potential.elements
    for command in _BOX.format(*prism.get_lammps_prism(), len(types)).split(";"):
        lmp.command(command)
    at = prism.vector_to_lammps(atoms.positions, wrap=True)
    lmp.create_atoms(
        n, list(range(1, n + 1)), [types.index(s) + 1 for s in atoms.symbols], at.ravel().tolist()
    )
    for command in (
        "mass * 1.0",
        "neighbor 0.1 nsq",
        "neigh_modify one 100000 page 1000000",
        "pair_style pod",
        f"pair_coeff * * {place}/parameters {place}/coefficients {' '.join(types)}",
        "compute w all pressure NULL virial",
        "run 0 post no",
    ):
        lmp.command(command)
    if lmp.get_natoms() != n:
        raise PredictError(f"LAMMPS kept {lmp.get_natoms()} of {n} atoms")
    order = np.argsort(lmp.numpy.extract_atom("id")[:n])
    forces = np.array(lmp.numpy.extract_atom("f")[:n])[order]
    xx, yy, zz, xy, xz, yz = np.array(lmp.numpy.extract_compute("w", 0, 1)) * _EV * atoms.get_volume()
    virial = prism.tensor2_to_ase(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    return float(lmp.get_thermo("pe")), prism.vector_to_ase(forces), virial


class PodPredictor:
    """Evaluates potentials of format ``pod``."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def predict(
        self, potential: FittedPotential, frames: Sequence[Frame], *, directory: Path, threads: int = 1
    ) -> Predictions:
        """Energies, forces and virials; NaN as the virial of a structure without a volume."""
        found = evaluate(potential, [f.atoms for f in frames])
        virials = np.array([w for _, _, w in found]).reshape(-1, 3, 3)
        virials[[not f.atoms.pbc.all() for f in frames]] = np.nan
        return Predictions(np.array([e for e, _, _ in found]), [f for _, f, _ in found], virials)


class PodCalculator(Calculator):  # type: ignore[misc]
    """ASE calculator of a `FittedPotential`."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, potential: FittedPotential, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._potential = potential

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, properties, system_changes)
        [(energy, forces, virial)] = evaluate(self._potential, [self.atoms])
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        if self.atoms.pbc.all():
            self.results["stress"] = full_3x3_to_voigt_6_stress(-virial / self.atoms.get_volume())
