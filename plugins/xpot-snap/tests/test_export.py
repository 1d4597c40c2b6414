"""What an export writes runs: LAMMPS and the ASE calculator."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from xpot_lammps_session.testing import small_data
from xpot_snap.export import export
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions

from xpot_core.api import ExportRequest, FitRequest


def test_export_tool(tmp_path):
    data = small_data(9, 0, 0)
    options = SnapOptions(twojmax=2)
    potential = SnapFitter().fit(FitRequest(options, data, tmp_path))
    written = export(ExportRequest(potential, tmp_path, options, data))
    assert set(written) == {
        "in.lammps",
        "ase_calculator.py",
        "structure.data",
        "structure.xyz",
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "ase_calculator.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("energy ")
    from xpot_lammps_session.session import LammpsSession

    lines = (tmp_path / "in.lammps").read_text()
    lines = lines.replace(
        "include InP.mod", f"variable potential_dir index {tmp_path}\ninclude {tmp_path}/InP.mod"
    )
    lines = lines.replace("read_data structure.data", f"read_data {tmp_path}/structure.data")
    with LammpsSession() as session:
        session.commands(line for line in lines.splitlines() if line.strip())
        assert np.isfinite(session.thermo("pe"))


def test_ase_calculator_stress(tmp_path):
    from ase.calculators.fd import calculate_numerical_stress
    from xpot_lammps_session.testing import cells
    from xpot_snap.calculator import SnapCalculator

    data = small_data(9, 0, 0, elements=("P", "Si"))
    potential = SnapFitter().fit(FitRequest(SnapOptions(twojmax=2), data, tmp_path))
    atoms = cells()["rotated"]
    atoms.calc = SnapCalculator(potential.path("include"), potential.elements)
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, eps=1e-5), abs=1e-5)


@pytest.mark.parametrize(
    ("pbc", "boundary"),
    [((False,) * 3, "s s s"), ((True, True, False), "p p s"), ((True, False, True), "p s p")],
)
def test_structures_without_a_full_cell(tmp_path, pbc, boundary):
    from xpot_lammps_session.session import LammpsSession

    data = small_data(9, 0, 0)
    frames = []
    whole = [i for i, f in enumerate(data.frames) if f.atoms.pbc.all()]
    for frame in (data.frames[i] for i in whole):
        atoms = frame.atoms.copy()
        atoms.pbc = pbc
        atoms.set_cell(np.where(np.array(pbc)[:, None], frame.atoms.cell.array, 0.0))
        frames.append(replace(frame, atoms=atoms, virial=None, group=".."))
    data = replace(data, frames=tuple(frames), folds=(-1,) * len(frames), groups=("..",))
    options = SnapOptions(twojmax=2)
    potential = SnapFitter().fit(FitRequest(options, data, tmp_path))
    export(ExportRequest(potential, tmp_path, options, data))
    assert f"boundary {boundary}" in (tmp_path / "in.lammps").read_text()
    with LammpsSession() as session:
        session.commands(
            [
                "units metal",
                "atom_style atomic",
                f"boundary {boundary}",
                f"read_data {tmp_path}/structure.data",
            ]
        )
        assert session.lmp.get_natoms() == max(f.n_atoms for f in frames)
