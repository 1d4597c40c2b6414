"""What all molecular dynamics has as options: time step, guards, analysis."""

from __future__ import annotations

from xpot_core.api import option
from xpot_lammps.process.options import ChildOptions


class MdOptions(ChildOptions):
    """What all molecular dynamics has: start, time step, guards."""

    timestep: float = option(1.0, "Time step.", unit="fs", gt=0)
    check_every: int = option(10, "Steps between two checks of energy and distances.", ge=1)
    max_temperature: float | None = option(
        None,
        "Temperature beyond which the run has failed; by default three times the highest one asked for plus 1000 K.",
        unit="K",
        gt=0,
    )
    max_energy_change: float | None = option(
        5.0,
        "Change of the potential energy per atom, from the start of the run, beyond which it has failed.",
        unit="eV/atom",
        gt=0,
    )
    min_distance_ratio: float = option(
        0.6,
        "Two atoms nearer than this fraction of the sum of their covalent radii are a failure; 0 allows all.",
        unit="",
        ge=0,
        lt=1,
    )
    max_volume_ratio: float = option(
        2.0,
        "Growth or shrinkage of the volume beyond which a run at constant pressure has failed.",
        unit="",
        gt=1,
    )
    thermostat_damping: float = option(100.0, "Relaxation time of the thermostat.", unit="fs", gt=0)
    barostat_damping: float = option(1000.0, "Relaxation time of the barostat.", unit="fs", gt=0)
    trajectory_every: int = option(0, "Steps between two structures in trajectory.xyz; 0 writes none.", ge=0)
    rdf_range: float = option(6.0, "Largest distance of the radial distribution function.", unit="Å", gt=1)
    coordination_cutoff: float | None = option(
        None,
        "Distance up to which atoms are neighbours; by default the first minimum of the radial distribution function.",
        unit="Å",
        gt=0,
    )
