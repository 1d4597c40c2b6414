"""Options that several validators have; importing them imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from xpot_core.api import OptionsModel, option

Crystal = Literal[
    "sc", "fcc", "bcc", "hcp", "diamond", "zincblende", "rocksalt", "cesiumchloride", "fluorite", "wurtzite"
]


class StructureOptions(OptionsModel):
    """Where the structure of a test comes from; at most one way."""

    frame: int | None = option(None, "Index of a training frame, from 0.", tunable=False)
    group: str | None = option(
        None, "Group of training frames; its frame with the lowest energy per atom is taken.", tunable=False
    )
    file: str | None = option(
        None, "Structure file that ASE reads (the last structure in it).", tunable=False, path=True
    )
    crystal: Crystal | None = option(
        None,
        "Crystal structure made by ase.build.bulk, of `species`, with lattice constant `a`.",
        tunable=False,
    )
    species: str | None = option(None, "Chemical formula for `crystal`, e.g. Si or InP.", tunable=False)
    a: float | None = option(
        None, "Lattice constant for `crystal`; ASE's own if not given.", unit="Å", tunable=False, gt=0
    )
    c: float | None = option(
        None, "Second lattice constant of a hexagonal `crystal`.", unit="Å", tunable=False, gt=0
    )
    cubic: bool = option(
        True, "Whether `crystal` is made as the conventional cubic cell where there is one.", tunable=False
    )

    @model_validator(mode="after")
    def _one_way(self) -> StructureOptions:
        given = [n for n in ("frame", "group", "file", "crystal") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of frame, group, file, crystal, not {' and '.join(given)}")
        if self.crystal is not None and self.species is None:
            raise ValueError("crystal needs species, e.g. {crystal: diamond, species: Si, a: 5.43}")
        return self


class ChildOptions(OptionsModel):
    """Options of every test that runs in a process of its own."""

    timeout: float = option(
        1800.0,
        "Seconds after which the test is ended; the potential has then failed.",
        unit="s",
        tunable=False,
        gt=0,
    )


class MdOptions(ChildOptions):
    """What all molecular dynamics has: start, time step, guards."""

    timestep: float = option(1.0, "Time step.", unit="fs", tunable=False, gt=0)
    check_every: int = option(10, "Steps between two checks of energy and distances.", tunable=False, ge=1)
    max_temperature: float | None = option(
        None,
        "Temperature beyond which the run has failed; by default three times the highest one asked for plus 1000 K.",
        unit="K",
        tunable=False,
        gt=0,
    )
    max_energy_change: float | None = option(
        5.0,
        "Change of the potential energy per atom, from the start of the run, beyond which it has failed.",
        unit="eV/atom",
        tunable=False,
        gt=0,
    )
    min_distance_ratio: float = option(
        0.6,
        "Two atoms nearer than this fraction of the sum of their covalent radii are a failure; 0 allows all.",
        tunable=False,
        ge=0,
        lt=1,
    )
    max_volume_ratio: float = option(
        2.0,
        "Growth or shrinkage of the volume beyond which a run at constant pressure has failed.",
        tunable=False,
        gt=1,
    )
    thermostat_damping: float = option(
        100.0, "Relaxation time of the thermostat.", unit="fs", tunable=False, gt=0
    )
    barostat_damping: float = option(
        1000.0, "Relaxation time of the barostat.", unit="fs", tunable=False, gt=0
    )
    trajectory_every: int = option(
        0, "Steps between two structures in trajectory.xyz; 0 writes none.", tunable=False, ge=0
    )
    rdf_range: float = option(
        6.0, "Largest distance of the radial distribution function.", unit="Å", tunable=False, gt=1
    )
    coordination_cutoff: float | None = option(
        None,
        "Distance up to which atoms are neighbours; by default the first minimum of the radial distribution function.",
        unit="Å",
        tunable=False,
        gt=0,
    )


class ReferenceOptions(ChildOptions):
    """Comparison with numbers of the user."""

    reference: dict[str, float] = option(
        dict,
        "Value name -> reference, e.g. from DFT or experiment; the names are those of the report.",
        tunable=False,
    )
    tolerance: float = option(
        0.1, "Relative deviation from a reference beyond which the potential has failed.", tunable=False, gt=0
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
