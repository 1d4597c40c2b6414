"""Predictor and ASE calculator of potentials of the fitter ``pod``, through LAMMPS' ``pair_style pod``."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from xpot_lammps_session.box import PRESSURE_ORDER, lammps_box, neighbor_commands, tensor_of
from xpot_lammps_session.calculator import LammpsCalculator
from xpot_lammps_session.evaluator import PotentialEvaluator
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_lammps_session.session import NKTV2P

from xpot_core.api import FittedPotential, FloatArray

_VACUUM = 20.0  # Å, more than any cutoff


class PodEvaluator(PotentialEvaluator):
    """Keeps one pair style for all structures, a dense crystal first.

    pair_style pod makes its arrays as large as the first atoms need them, and writes beyond them where that is little
    (dimers, single atoms).
    """

    _loaded = False

    def evaluate(self, atoms: Atoms, label: str = "structure") -> tuple[float, FloatArray, FloatArray]:
        """See `PotentialEvaluator`; open directions get vacuum, since the box is kept periodic."""
        if not self._loaded:
            self._loaded = True
            crystal = Atoms(next(iter(self._types)), cell=np.eye(3), pbc=True)
            box = lammps_box(crystal.positions, np.eye(3), crystal.pbc)
            self._session.commands([*box.commands(len(self._types)), *self._pair, *neighbor_commands(1)])
            self._session.commands(["compute xpot_virial all pressure NULL virial"])
            self.evaluate(crystal)
        boxed = lammps_box(atoms.positions, np.array(atoms.cell), atoms.pbc, label, padding=_VACUUM / 2)
        session = self._session
        session.commands(["delete_atoms group all compress yes"])
        session.reset_box(boxed.cell)
        session.create_atoms(
            np.array([self._types[s] for s in atoms.symbols], dtype=np.intp), boxed.positions
        )
        session.run()
        pressure = session.global_vector("xpot_virial")[PRESSURE_ORDER]
        virial = boxed.tensor_to_user(tensor_of(pressure * (boxed.box_volume / NKTV2P)))
        return session.thermo("pe"), boxed.vectors_to_user(session.atom_array("f")), virial


class PodPredictor(LammpsPredictor):
    """Predictions of pair_style pod."""

    evaluator = PodEvaluator


class PodCalculator(LammpsCalculator):
    """The same for ASE."""

    evaluator = PodEvaluator


def calculator(potential: FittedPotential) -> PodCalculator:
    """The predictor's tool of this name."""
    return PodCalculator.of(potential)
