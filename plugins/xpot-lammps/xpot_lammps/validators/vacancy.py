"""``vacancy``: what it costs to take an atom out of a crystal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from xpot_core.api import FittedPotential, Frame, InputError, ValidationReport, ValidationRequest, option
from xpot_lammps.crystals.options import RelaxOptions
from xpot_lammps.crystals.relaxed_test import RelaxedTest, judge
from xpot_lammps.process.failure import Failed
from xpot_lammps.process.reports import describe, report
from xpot_lammps.structures.cells import repeated

if TYPE_CHECKING:
    from ase import Atoms


class VacancyOptions(RelaxOptions):
    """Options of ``vacancy``."""

    min_atoms: int = option(64, "The cell is repeated until it holds as many atoms.", ge=2)
    site: int = option(0, "Index of the atom that is taken out, in the cell before it is repeated.", ge=0)
    rattle: float = option(
        0.05,
        "Random displacement before the relaxation, which breaks the symmetry of the perfect sites.",
        unit="Å",
        ge=0,
        lt=0.5,
    )
    min_energy: float = option(0.0, "Formation energy that must be exceeded.", unit="eV", ge=0)
    chemical_potentials: dict[str, float] = option(
        dict,
        "Element -> energy of an atom in its reservoir; needed for compounds, by default that of the crystal.",
        unit="eV",
    )

    units: ClassVar[Mapping[str, str]] = {
        "formation_energy": "eV",
        "formation_energy_unrelaxed": "eV",
        "relaxation_energy": "eV",
    }


class VacancyValidator(RelaxedTest[VacancyOptions]):
    """Vacancy formation energy."""

    def start(self, elements: Sequence[str], frames: Sequence[Frame]) -> Atoms:
        """See `StructureTest`; the atom to be taken out must be there, and its energy elsewhere known."""
        o = self.options
        atoms = super().start(elements, frames)
        symbols = atoms.get_chemical_symbols()
        if o.site >= len(symbols):
            raise InputError(
                f"the cell has {len(symbols)} atoms",
                key="site",
                value=o.site,
                remedy=f"write a number from 0 to {len(symbols) - 1}",
            )
        element = symbols[o.site]
        if len(set(symbols)) > 1 and element not in o.chemical_potentials:
            raise InputError(
                f"the chemical potential of {element} is needed: the crystal has several elements",
                key="chemical_potentials",
                remedy=f"give chemical_potentials: {{{element}: ...}} in eV",
            )
        return atoms

    def validate(self, potential: FittedPotential, request: ValidationRequest) -> ValidationReport:
        """See `xpot_core.api.Validator`."""
        o = self.options
        outcome = self.run(f"{__name__}:formation_energy", potential, request)
        if outcome.failure:
            return report(False, describe(outcome.failure), {})
        v = outcome.result["values"]
        energy = v["formation_energy"]
        faults = []
        if energy <= 0:
            faults.append(f"the formation energy is negative: {energy:.3g} eV")
        elif energy <= o.min_energy:
            faults.append(f"the formation energy is {energy:.3g} eV, below {o.min_energy:g} eV")
        shown = f"vacancy of {outcome.result['element']}: {energy:.4g} eV, "
        shown += f"{v['formation_energy_unrelaxed']:.4g} eV unrelaxed"
        return judge(o, v, {}, shown, faults)


# -- in the child process --------------------------------------------------------------------------


def formation_energy(potential: FittedPotential, job: Mapping[str, Any]) -> dict[str, Any]:
    """Formation energy at the volume of the perfect crystal.

    Returns
    -------
    dict
        ``values``: ``formation_energy`` (eV), the same without relaxation, their difference, and how far
        the atom that moved most went (Å).
    """
    from xpot_lammps.crystals.relax import finite_energy, prepare, relax

    o = VacancyOptions.model_validate(job["options"])
    atoms = prepare(potential, job, o)
    crystal = repeated(atoms, o.min_atoms)
    crystal.calc = atoms.calc
    perfect = finite_energy(crystal)
    element = crystal[o.site].symbol
    reservoir = float(o.chemical_potentials.get(element, perfect / len(crystal)))
    defect = crystal.copy()
    del defect[o.site]
    defect.calc = atoms.calc
    before = defect.get_positions()
    unrelaxed = finite_energy(defect)
    # the perfect sites may be a saddle point, where all forces are zero by symmetry
    defect.rattle(o.rattle, seed=int(job["seed"]) % 2**32)
    relaxed = relax(defect, o, cell=False, name="cell with the vacancy")
    moved = float(((defect.get_positions() - before) ** 2).sum(axis=1).max() ** 0.5)
    if relaxed > unrelaxed + 1e-3:
        raise Failed("relaxation", "the energy rose in the relaxation")
    return {
        "result": {
            "values": {
                "formation_energy": relaxed + reservoir - perfect,
                "formation_energy_unrelaxed": unrelaxed + reservoir - perfect,
                "relaxation_energy": relaxed - unrelaxed,
                "largest_displacement": moved,
                "n_atoms": len(defect),
            },
            "element": element,
        }
    }
