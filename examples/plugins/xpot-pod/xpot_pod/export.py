"""What goes beside an exported potential: a LAMMPS input that runs."""

from __future__ import annotations

from ase.data import atomic_masses, atomic_numbers
from ase.io.lammpsdata import write_lammps_data

from xpot_core.api import ExportRequest
from xpot_pod.session import boxed

_INPUT = """units metal
atom_style atomic
read_data structure.data
{masses}
include pod.mod
velocity all create 300 12345
fix nve all nve
thermo 10
run 20
"""


def export(request: ExportRequest) -> dict[str, str]:
    """Write ``in.lammps`` and a structure; gives file name -> what it is."""
    elements = request.potential.elements
    largest = max(request.data.training().frames, key=lambda f: f.n_atoms)
    atoms = boxed(largest.atoms, request.potential.metadata["cutoff"])
    write_lammps_data(request.directory / "structure.data", atoms, specorder=list(elements))
    masses = [f"mass {i + 1} {atomic_masses[atomic_numbers[e]]:.4f}" for i, e in enumerate(elements)]
    (request.directory / "in.lammps").write_text(_INPUT.format(masses="\n".join(masses)))
    return {
        "in.lammps": "a short run with pair_style pod: lmp -in in.lammps",
        "structure.data": "a training structure for it",
    }
