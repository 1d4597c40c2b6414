"""Options of the static tests."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from xpot_core.api import option
from xpot_lammps.options.shared import ChildOptions, StructureOptions

_LOWEST = "Structure; by default the periodic training frame with the lowest energy per atom."


class DimerOptions(ChildOptions):
    """Options of ``dimer``."""

    min_distance: float = option(0.6, "Shortest distance of the curves.", unit="Å", tunable=False, gt=0)
    max_distance: float = option(6.0, "Longest distance of the curves.", unit="Å", tunable=False, gt=0)
    points: int = option(109, "Number of distances.", tunable=False, ge=10)
    trusted_ratio: float = option(
        0.6,
        "Distances from this fraction of the sum of the covalent radii on must be free of holes.",
        unit="",
        tunable=False,
        ge=0,
        lt=1.2,
    )
    hole_depth: float = option(
        0.1,
        "An energy that falls by more than this when atoms come nearer is a hole.",
        unit="eV",
        tunable=False,
        gt=0,
    )
    well_depth: float = option(
        0.05,
        "A further minimum deeper than this is a well; wells are warned of.",
        unit="eV",
        tunable=False,
        gt=0,
    )
    allow_holes: bool = option(False, "Whether holes are only warned of.", tunable=False)
    allow_wells: bool = option(True, "Whether wells are only warned of.", tunable=False)

    @model_validator(mode="after")
    def _ordered(self) -> DimerOptions:
        if self.max_distance <= self.min_distance:
            raise ValueError("max_distance must be greater than min_distance")
        return self


class ReferenceOptions(ChildOptions):
    """Comparison with numbers of the user."""

    reference: dict[str, float] = option(
        dict,
        "Value name -> reference, e.g. from DFT or experiment; the names are those of the report.",
        tunable=False,
    )
    tolerance: float = option(
        0.1,
        "Relative deviation from a reference beyond which the potential has failed.",
        unit="",
        tunable=False,
        gt=0,
    )
    tolerances: dict[str, float] = option(dict, "Value name -> its own relative tolerance.", tunable=False)

    @field_validator("tolerances")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0 < v < float("inf") for v in value.values()):
            raise ValueError("tolerances must be greater than 0")
        return value

    @classmethod
    def references(cls) -> tuple[str, ...]:
        """Names that `reference` may hold; a subclass says which."""
        return ()

    @model_validator(mode="after")
    def _known(self) -> ReferenceOptions:
        known = self.references()
        for key in (*self.reference, *self.tolerances):
            if known and key not in known:
                raise ValueError(f"there is no value '{key}' to compare; known: {', '.join(known)}")
        return self


class RelaxOptions(ReferenceOptions):
    """Static tests that start from a relaxed structure."""

    structure: StructureOptions = option(StructureOptions, _LOWEST, tunable=False)
    relax: bool = option(True, "Whether cell and atoms are relaxed first.", tunable=False)
    max_force: float = option(1e-3, "Largest force when relaxed.", unit="eV/Å", tunable=False, gt=0)
    max_relax_steps: int = option(
        300, "Steps of a relaxation after which it has failed.", tunable=False, ge=1
    )


class EosOptions(RelaxOptions):
    """Options of ``equation-of-state``."""

    strain: float = option(
        0.02, "Largest change of the cell's edges, relative.", unit="", tunable=False, gt=0, lt=0.3
    )
    points: int = option(9, "Number of volumes.", tunable=False, ge=5)
    equation: Literal["birchmurnaghan", "murnaghan", "vinet", "sj"] = option(
        "birchmurnaghan", "Equation of state, as ASE names it.", tunable=False
    )
    reference_group: str | None = option(
        None,
        "Group of training frames whose energies and volumes give the reference, with the same equation.",
        tunable=False,
    )

    @classmethod
    def references(cls) -> tuple[str, ...]:
        """See `ReferenceOptions`."""
        return ("lattice_constant", "c", "volume_per_atom", "bulk_modulus", "energy_per_atom")


class ElasticOptions(RelaxOptions):
    """Options of ``elastic``."""

    strain: float = option(
        0.005, "Size of the strains, each taken with both signs.", unit="", tunable=False, gt=0, lt=0.05
    )

    @classmethod
    def references(cls) -> tuple[str, ...]:
        """See `ReferenceOptions`."""
        full = [f"c{i}{j}" for i in range(1, 7) for j in range(i, 7)]
        return (*full, "bulk_modulus", "shear_modulus", "lattice_constant")


class VacancyOptions(RelaxOptions):
    """Options of ``vacancy``."""

    min_atoms: int = option(64, "The cell is repeated until it holds as many atoms.", tunable=False, ge=2)
    site: int = option(
        0, "Index of the atom that is taken out, in the cell before it is repeated.", tunable=False, ge=0
    )
    rattle: float = option(
        0.05,
        "Random displacement before the relaxation, which breaks the symmetry of the perfect sites.",
        unit="Å",
        tunable=False,
        ge=0,
        lt=0.5,
    )
    chemical_potentials: dict[str, float] = option(
        dict,
        "Element -> energy of an atom in its reservoir; needed for compounds, by default that of the crystal.",
        unit="eV",
        tunable=False,
    )

    @classmethod
    def references(cls) -> tuple[str, ...]:
        """See `ReferenceOptions`."""
        return ("formation_energy", "formation_energy_unrelaxed", "relaxation_energy")


class PhononOptions(RelaxOptions):
    """Options of ``phonons``."""

    engine: Literal["ase", "phonopy"] = option(
        "ase",
        "What computes them: ASE (all displacements), or phonopy (displacements by symmetry; "
        "pip install 'xpot-lammps[phonons]').",
        tunable=False,
    )
    supercell: int | tuple[int, int, int] = option(
        3, "Repetitions of the cell, one number or one per direction.", tunable=False
    )
    displacement: float = option(0.02, "Displacement of the atoms.", unit="Å", tunable=False, gt=0)
    path: str | None = option(
        None, "Band path in ASE's notation, e.g. GXWKGL; by default that of the lattice.", tunable=False
    )
    points: int = option(60, "Number of points of the band path.", tunable=False, ge=2)
    max_imaginary: float = option(
        0.3,
        "Imaginary frequency up to which the crystal counts as stable; supercells that are small make some.",
        unit="THz",
        tunable=False,
        ge=0,
    )

    @classmethod
    def references(cls) -> tuple[str, ...]:
        """See `ReferenceOptions`."""
        return ("gamma_optical", "highest_frequency")

    @model_validator(mode="after")
    def _whole(self) -> PhononOptions:
        sizes = (self.supercell,) if isinstance(self.supercell, int) else self.supercell
        if min(sizes) < 1:
            raise ValueError("supercell must be at least 1 in each direction")
        return self
