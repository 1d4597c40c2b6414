"""What goes beside an exported model: configuration and data of mace_run_train, ASE script, LAMMPS file and input."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from ase.data import atomic_masses, atomic_numbers
from ase.io import write
from ase.io.lammpsdata import write_lammps_data

from xpot_core.api import ExportRequest, FittedPotential, child_process
from xpot_mace.options import MaceOptions
from xpot_mace.run_train.config import CONFIG, TRAIN, VALID, configuration
from xpot_mace.training.structures import (
    atomic_energies,
    groups_by_name,
    labelled,
    trained_on,
    write_structures,
)

_CONVERSION_SECONDS = 600.0
_LAMMPS = """# Short NVT run with the model in this folder: lmp -in in.lammps; needs a LAMMPS with the package ML-MACE
units metal
atom_style atomic
atom_modify map yes
newton on
read_data structure.data
replicate 2 2 2
{masses}
pair_style mace no_domain_decomposition
pair_coeff * * {model} {elements}
neighbor 1.0 bin
timestep 0.001
velocity all create 300 12345 mom yes rot yes
fix nvt all nvt temp 300 300 0.1
# A bad potential must stop the run, not heat it without end.
variable hot equal "temp > 5000"
fix guard all halt 10 v_hot == 1 error hard
thermo 20
thermo_style custom step temp pe etotal press
run 100
"""

_CALCULATOR = '''"""The model in this folder as an ASE calculator, by mace's own. Needs: pip install mace-torch."""

from pathlib import Path

from mace.calculators import MACECalculator


def calculator(device="cpu"):
    """Energy, forces and stress; device="cuda" takes a GPU."""
    model = Path(__file__).resolve().with_name("{model}")
    return MACECalculator(model_paths=[str(model)], device=device, default_dtype="{dtype}")
'''

_EXAMPLE = """

if __name__ == "__main__":
    import sys

    from ase.io import read

    atoms = read(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("structure.xyz"))
    atoms.set_constraint()  # ASE would report zero forces on fixed atoms
    atoms.calc = calculator()
    print(f"energy {atoms.get_potential_energy():.6f} eV")
    print(f"largest force {abs(atoms.get_forces()).max():.6f} eV/Å")
"""


def export(request: ExportRequest) -> dict[str, str]:
    """Write the files; the tool ``export`` of the fitter.

    Returns
    -------
    dict
        File name -> what it is.
    """
    folder, potential = request.directory, request.potential
    frame = request.data.typical_frame()
    atoms = frame.atoms.copy()
    write(folder / "structure.xyz", atoms)
    (folder / "ase_calculator.py").write_text(calculator_script(potential) + _EXAMPLE, encoding="utf-8")
    written = {
        "ase_calculator.py": "an ASE calculator with this model",
        "structure.xyz": "a training structure for it",
        **_training(request),
    }
    model = _lammps_model(folder, potential)
    if model is None or not atoms.pbc.all():
        return written
    write_lammps_data(folder / "structure.data", atoms, specorder=list(potential.elements), masses=False)
    masses = [
        f"mass {i + 1} {atomic_masses[atomic_numbers[e]]:.4f}  # {e}"
        for i, e in enumerate(potential.elements)
    ]
    text = _LAMMPS.format(masses="\n".join(masses), model=model, elements=" ".join(potential.elements))
    (folder / "in.lammps").write_text(text, encoding="utf-8")
    return {
        **written,
        model: "the model for LAMMPS' pair_style mace (TorchScript)",
        "in.lammps": "LAMMPS input: run `lmp -in in.lammps` in this folder (needs ML-MACE)",
        "structure.data": "the same structure for LAMMPS",
    }


def calculator_script(potential: FittedPotential) -> str:
    """Source of ``potential.py`` for exported scripts: the predictor's tool ``script``."""
    dtype = str(potential.metadata.get("dtype", "float64"))
    return _CALCULATOR.format(model=potential.files["model"], dtype=dtype)


def _training(request: ExportRequest) -> dict[str, str]:
    """The training once more, by mace_run_train alone."""
    options, data, folder = request.options, request.data, request.directory
    assert isinstance(options, MaceOptions)
    groups = groups_by_name(data.groups)
    held = labelled(data.evaluation().frames)
    write_structures(folder / TRAIN, trained_on(data), options, groups)
    if held:
        write_structures(folder / VALID, held, options, groups)
    content = configuration(
        options,
        elements=data.elements,
        groups=groups,
        energies=atomic_energies(options, data),
        seed=0,
        device="cuda" if options.device == "cuda" else "cpu",
        valid_file=VALID if held else None,
    )
    (folder / CONFIG).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    written = {
        CONFIG: f"trains with these options: `mace_run_train --config {CONFIG}` in this folder",
        TRAIN: "the training structures for it",
    }
    return {**written, VALID: "the validation structures for it"} if held else written


def _lammps_model(folder: Path, potential: FittedPotential) -> str | None:
    """Convert the model for pair_style mace by mace's own program; None where that fails."""
    name = f"{potential.files['model']}-lammps.pt"
    dtype = str(potential.metadata.get("dtype", "float64"))
    command = [
        sys.executable,
        "-m",
        "mace.cli.create_lammps_model",
        potential.files["model"],
        "--dtype",
        dtype,
    ]
    log = folder / "lammps-model.log"
    # without a GPU in sight: the file must run on any machine
    with child_process(command, folder, log, {"CUDA_VISIBLE_DEVICES": ""}) as process:
        status = process.wait(_CONVERSION_SECONDS)
    if status == 0 and (folder / name).is_file():
        log.unlink()
        return name
    return None
