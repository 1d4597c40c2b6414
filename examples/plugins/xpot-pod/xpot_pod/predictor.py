"""The predictor ``pod`` and an ASE calculator, both through LAMMPS' ``pair_style pod``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lammps import Prism

from xpot_core.api import FittedPotential, FloatArray, Frame, NoOptions, PredictError, Predictions
from xpot_pod.lammps import boxed, start

_VIRIAL = 1 / 1.6021765e6  # eV/Å^3 per bar, as LAMMPS' units metal have it
_COMMANDS = """units metal
atom_style atomic
atom_modify map array sort 0 0
box tilt large
region box prism 0 9 0 9 0 9 0 0 0 units box
create_box {types} box
mass * 1.0
neighbor 0.1 nsq
neigh_modify one 100000 page 1000000
pair_style pod
pair_coeff * * {place}/parameters {place}/coefficients {elements}
compute w all pressure NULL virial"""
Answer = tuple[float, FloatArray, FloatArray]


def evaluate(potential: FittedPotential, structures: Sequence[Atoms]) -> Iterator[Answer]:
    """Energy (eV), forces (eV/Å) and virial (eV) of each structure."""
    elements, cutoff = potential.elements, potential.metadata["cutoff"]
    with tempfile.TemporaryDirectory() as place:  # LAMMPS reads neither blanks nor all letters in paths
        for role in ("parameters", "coefficients"):
            shutil.copyfile(potential.path(role), Path(place) / role)
        lmp = start()
        try:
            lmp.commands_string(
                _COMMANDS.format(types=len(elements), place=place, elements=" ".join(elements))
            )
            # pair_style pod makes its arrays as large as the first atoms need them, and writes beyond
            # them where that is little (dimers, single atoms): a dense crystal goes first.
            _one(lmp, elements, Atoms(elements[0], cell=[cutoff / 4] * 3, pbc=True))
            for atoms in structures:
                yield _one(lmp, elements, boxed(atoms, cutoff))
        except Exception as error:
            raise PredictError(f"LAMMPS: {error}") from error
        finally:
            lmp.close()


def _one(lmp: Any, elements: tuple[str, ...], atoms: Atoms) -> Answer:
    prism, n = Prism(atoms.cell), len(atoms)
    xx, yy, zz, xy, xz, yz = map(float, prism.get_lammps_prism())
    lmp.command("delete_atoms group all compress yes")
    lmp.reset_box([0.0] * 3, [xx, yy, zz], xy, yz, xz)
    kinds = [elements.index(s) + 1 for s in atoms.symbols]
    where = prism.vector_to_lammps(atoms.positions, wrap=True).ravel().tolist()
    if lmp.create_atoms(n, list(range(1, n + 1)), kinds, where) != n:
        raise PredictError("LAMMPS did not take all atoms")
    lmp.command("run 0 post no")
    forces = np.array(lmp.numpy.extract_atom("f")[:n])[np.argsort(lmp.numpy.extract_atom("id")[:n])]
    xx, yy, zz, xy, xz, yz = np.array(lmp.numpy.extract_compute("w", 0, 1)) * _VIRIAL * atoms.get_volume()
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
        found = list(evaluate(potential, [f.atoms for f in frames]))
        virials = np.array([w for _, _, w in found]).reshape(-1, 3, 3)
        virials[[not f.atoms.pbc.all() for f in frames]] = np.nan
        return Predictions(np.array([e for e, _, _ in found]), [f for _, f, _ in found], virials)


class PodCalculator(Calculator):  # type: ignore[misc]
    """ASE calculator of a `FittedPotential`."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, potential: FittedPotential) -> None:
        super().__init__()
        self._potential = potential

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, properties, system_changes)
        [(energy, forces, virial)] = evaluate(self._potential, [self.atoms])
        self.results = {"energy": energy, "forces": forces}
        if self.atoms.pbc.all():
            self.results["stress"] = -virial.ravel()[[0, 4, 8, 5, 2, 1]] / self.atoms.get_volume()
