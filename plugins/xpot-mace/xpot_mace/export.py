"""What goes beside an exported model: configuration and data of mace_run_train, ASE script, LAMMPS file and input."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from xpot_core.api import (
    ExportRequest,
    FittedPotential,
    child_process,
    write_ase_example,
    write_lammps_example,
)
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
_CALCULATOR = '''"""The model in this folder as an ASE calculator, by mace's own. Needs: pip install mace-torch."""

from pathlib import Path

from mace.calculators import MACECalculator


def calculator(device="cpu"):
    """Energy, forces and stress; device="cuda" takes a GPU."""
    model = Path(__file__).resolve().with_name("{model}")
    return MACECalculator(model_paths=[str(model)], device=device, default_dtype="{dtype}")
'''


def export(request: ExportRequest) -> dict[str, str]:
    """Write the files; the tool ``export`` of the fitter.

    Returns
    -------
    dict
        File name -> what it is.
    """
    folder, potential = request.directory, request.potential
    atoms = request.data.typical_frame().atoms
    written = {
        **write_ase_example(folder, calculator_script(potential), atoms),
        **_training(request),
    }
    model = _lammps_model(folder, potential)
    if model is None or not atoms.pbc.all():
        return written
    lines = [
        "pair_style mace no_domain_decomposition",
        f"pair_coeff * * {model} {' '.join(potential.elements)}",
    ]
    setup = ["atom_modify map yes", "newton on"]
    needs = "a LAMMPS with the package ML-MACE"
    return {
        **written,
        model: "the model for LAMMPS' pair_style mace (TorchScript)",
        **write_lammps_example(folder, atoms, potential.elements, lines, setup=setup, needs=needs),
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
