"""Which structures decide the fit of a study with SNAP, as the commands show it."""

import json
from functools import partial
from pathlib import Path

import pytest
from ase.io import write
from snap_cases import call_xpot, labelled
from xpot_lammps_session.testing import small_data

STUDY = """
study: small
data: {train: train.xyz, keys: {energy: REF_energy, forces: REF_forces, virial: REF_virial}, group_by: config_type}
fitter: {snap: {twojmax: 2, rcutfac: {min: 3.8, max: 4.4}, ridge: RIDGE}}
loss: {energy-force: {alpha: 0.8}}
optimizer: sobol
budget: {trials: 2}
"""


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """A folder with data of which one structure has forces of 458 eV/Å, and xpot in it."""
    monkeypatch.chdir(tmp_path)
    write("train.xyz", [labelled(f) for f in small_data(20, 0, 0).frames], format="extxyz")

    return partial(call_xpot, capsys)


@pytest.mark.slow
def test_the_structure_that_decides_is_named(call):
    Path("study.yaml").write_text(STUDY.replace("RIDGE", "1.0e-8"))
    doctor = json.loads(call("doctor", "study.yaml", "--json", status=None))
    assert doctor["influence"][0]["structure"] == "train.xyz#17"
    assert "the 5 structures with the largest influence" in call("doctor", "study.yaml", status=None)
    call("run", "study.yaml", "--quiet")
    found = json.loads(call("show", "small", "--outliers", "3", "--json"))["influence"]
    first = found["structures"][0]
    assert first["structure"] == "train.xyz#17"
    assert first["influence"] > 5.0
    assert first["force_rmse_left_out_eV_per_A"] > first["force_rmse_eV_per_A"]
    assert abs(first["energy_error_left_out_meV_per_atom"]) > abs(first["energy_error_meV_per_atom"])
    assert len(found["structures"]) == 3
    assert "make half of all influence" in found["statement"]
    # what it says of the fit to all structures are the errors of the potential itself
    largest = json.loads(call("show", "small", "--outliers", "20", "--json"))["largest"]["train"]
    own = next(row for row in largest if row["structure"] == "train.xyz#17")
    assert first["energy_error_meV_per_atom"] == pytest.approx(own["energy_error_meV_per_atom"], abs=1e-3)
    assert first["force_rmse_eV_per_A"] == pytest.approx(own["force_rmse_eV_per_A"], abs=1e-6)
    text = call("show", "small", "--outliers", "3")
    assert "train: the 3 structures with the largest influence" in text
    call("report", "small")
    page = Path("runs/small/report.html").read_text()
    assert "Structures that decide the fit" in page
    assert "train.xyz#17" in page
    assert "everything is as it was written" in call("show", "small", "--verify")
    Path("runs/small/best/influence.json").write_text("{")
    assert "the influence of structures cannot be read" in call("show", "small", "--outliers", status=2)


@pytest.mark.slow
def test_a_singular_fit_says_why_nothing_is_known(call):
    Path("study.yaml").write_text(
        STUDY.replace("RIDGE", "0.0").replace("twojmax: 2", "twojmax: 6, quadratic: true")
    )
    call("run", "study.yaml", "--quiet", "--trials", "1")
    assert "the fit is singular" in call("show", "small", "--outliers")
    found = json.loads(call("show", "small", "--outliers", "--json"))["influence"]
    assert found["structures"] == []
    assert "is not known: the fit is singular" in found["statement"]
