"""How LAMMPS gets its forces: by its own pair style, or from an ASE calculator at every step."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from xpot_lammps_session import calculator as lammps_calculator
from xpot_lammps_session.include import include_commands, include_of
from xpot_lammps_session.session import LammpsSession

from xpot_core.api import FittedPotential, InputError
from xpot_lammps.native import is_native, link_potential, unlink_potential
from xpot_lammps.process.failure import Failed

STOP = "xpot_stop"
"""Internal variable of LAMMPS that is 1 as soon as a run must end."""


def make_calculator(potential: FittedPotential, target: str | None) -> Any:
    """The ASE calculator that ``"package.module:function"`` makes of a potential."""
    if target is not None:
        return pkgutil.resolve_name(target)(potential)
    if is_native(potential):
        return lammps_calculator.calculator(potential)
    raise InputError(
        f"no calculator is known for potentials of format '{potential.format}'",
        remedy="the plugin of the format must give its predictor a tool 'calculator'",
    )


class Force:
    """The source of forces of one LAMMPS instance.

    Parameters
    ----------
    potential
        What is tested.
    calculator
        ``"package.module:function"`` for potentials that LAMMPS does not know.
    name
        Bare name under which the potential's folder is linked.
    """

    def __init__(self, potential: FittedPotential, calculator: str | None, name: str = "potential") -> None:
        self.potential = potential
        self.name = name
        self.error: Exception | None = None
        self._model: Any = None
        if not is_native(potential):
            self._model = make_calculator(potential, calculator)

    def apply(self, session: LammpsSession, elements: Sequence[str]) -> None:
        """Define the forces in a LAMMPS instance that has its atoms.

        Parameters
        ----------
        session
            LAMMPS with a box and atoms.
        elements
            Chemical symbols in the order of types.
        """
        session.commands([f"variable {STOP} internal 0.0"])
        if self._model is None:
            include, variable = include_of(self.potential)
            session.commands(include_commands(include, link_potential(self.potential, self.name), variable))
            return
        session.commands(
            [
                # LAMMPS wants a pair style; this one does nothing
                "pair_style zero 2.0",
                "pair_coeff * *",
                "fix xpot_force all external pf/callback 1 1",
                "fix_modify xpot_force energy yes virial yes",
            ]
        )
        session.lmp.set_fix_external_callback(
            "xpot_force", self._callback(session, list(elements)), session.lmp
        )

    def _callback(self, session: LammpsSession, symbols: list[str]) -> Any:
        model = self._model

        def forces(lmp: Any, step: int, n: int, tag: Any, x: Any, f: Any) -> None:
            # an exception cannot pass through LAMMPS: it is kept, and the run is told to end
            try:
                if self.error is not None:
                    f[:n] = 0.0
                    return
                low, cell = session.box()
                types = lmp.numpy.extract_atom("type")[:n]
                atoms = Atoms([symbols[t - 1] for t in types], np.array(x[:n]) - low, cell=cell, pbc=True)
                atoms.calc = model
                own = atoms.get_forces()
                energy = float(atoms.get_potential_energy())
                v = -atoms.get_stress(voigt=False) * atoms.get_volume()
                if not (np.isfinite(energy) and np.isfinite(own).all()):
                    raise ArithmeticError("energy or forces are not finite")
                f[:n] = own
                lmp.fix_external_set_energy_global("xpot_force", energy)
                lmp.fix_external_set_virial_global(
                    "xpot_force", [v[0, 0], v[1, 1], v[2, 2], v[0, 1], v[0, 2], v[1, 2]]
                )
            except Exception as error:
                self.error = error
                f[:n] = 0.0
                lmp.set_internal_variable(STOP, 1.0)

        return forces

    def failure(self, **where: Any) -> Failed | None:
        """What became of the calculator, if it broke; LAMMPS itself goes on without it."""
        if self.error is None:
            return None
        return Failed("error", f"the calculator says {type(self.error).__name__}: {self.error}", **where)

    def close(self) -> None:
        """Remove what was linked."""
        if self._model is None:
            unlink_potential(self.name)
