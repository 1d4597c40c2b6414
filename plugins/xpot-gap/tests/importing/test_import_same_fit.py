"""Forms of public gap_fit commands: the study fits as gap_fit does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from gap_cases import make_data
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.importing.study import study_from_source

from xpot_core.study_file.read import study_from_dict
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner

CLUSTER = "covariance_type=ard_se delta=1.8 theta_uniform=2.2 sparse_method=uniform compact_clusters=T"
NB = f"distance_Nb order=2 cutoff=4.8 n_sparse=8 {CLUSTER}"
SOAP = (
    "soap l_max=3 n_max=4 atom_sigma=0.5 cutoff=4.2 radial_scaling=-0.5 cutoff_transition_width=1.0 central_weight=0.9 "
    "delta=0.2 covariance_type=dot_product zeta=4 sparse_method=cur_points"
)
PAIR = (
    "distance_2b cutoff=4.0 covariance_type=ard_se cutoff_transition_width=0.6 delta=0.6 theta_uniform=1.0 "
    "sparse_method=uniform n_sparse=8"
)
ANGLE = (
    "angle_3b cutoff=3.2 delta=0.4 theta_uniform=1.0 covariance_type=ard_se sparse_method=uniform n_sparse=9"
)
TURBO = (
    "soap_turbo l_max=3 alpha_max={{4}} atom_sigma_r={{0.5}} atom_sigma_t={{0.5}} zeta=4 rcut_hard=4.5 rcut_soft=4.0 "
    'delta=1.0 basis="poly3" n_species=1 species_Z={29} add_species=F radial_enhancement=1 covariance_type=dot_product '
    "config_type_n_sparse={bulk:5:default:9} sparse_method=cur_points"
)
ROWS = "config_type_sigma={\n isolated_atom:0.0001:0.01:1.0:0.0:\n slab:0.0004:0.03:0.05:0.00 bulk:0.003:0.3:0.5:0.0 }"
FORMS = {
    "clusters and rows": (f"{NB} : {SOAP} n_sparse=15 ", ROWS),
    "three atoms": (f"distance_Nb order=3 cutoff=3.2 n_sparse=9 {CLUSTER}", "e0={Cu:-0.8:Ag:0.3}"),
    "pairs, angles": (f"{PAIR} : {ANGLE} : {SOAP} n_sparse=15 add_species", "e0_method=average"),
    "pool": (TURBO, f"e0=-0.2 e0_offset=0.1 {ROWS}"),
    "shared pool": (TURBO, "local_property0=0.0"),
    "blind": (f"{PAIR} add_species=F : {SOAP} n_sparse=15 add_species=F", "e0={Cu:-0.8:Ag:0.3}"),
    "one species": (f"{PAIR} : {SOAP} n_sparse=9 Z=29 n_species=1 species_Z={{29}} add_species=F", "e0=0.1"),
    "a length scale for each coordinate": (
        f"{ANGLE.replace('theta_uniform=1.0', 'theta_fac={{0.5 1.0d0 0.8}}')} : {PAIR}",
        "e0=0.1",
    ),
    "one kernel for several centres": (
        f"{SOAP} n_sparse=9 n_Z=2 Z={{{{29 47}}}} n_species=2 species_Z={{{{47 29}}}} add_species=F",
        "e0=0.1",
    ),
    "neighbours counted, and each by its species": (
        "coordination cutoff=4.0 transition_width=0.5 covariance_type=ard_se theta_uniform=1.0 delta=0.5 n_sparse=6 "
        "sparse_method=uniform : power_so3 cutoff=4.0 l_max=2 n_max=2 covariance_type=ard_se theta_uniform=1.0 "
        "delta=0.2 n_sparse=9 sparse_method=cur_points",
        "e0=0.1",
    ),
    "piecewise polynomial": (f"{PAIR.replace('ard_se', 'pp')} : {SOAP} n_sparse=9 f0=0.0", "e0=0.1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("elements", [("Cu",), ("Cu", "Ag")])
@pytest.mark.parametrize("form", FORMS)
def test_study_fits_as_gap_fit_does(
    form: str, elements: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form.startswith("one kernel") and len(elements) == 1:
        pytest.skip("names two elements")
    quippy = pytest.importorskip("quippy.potential")
    monkeypatch.chdir(tmp_path)
    images = []
    for frame in make_data(8, groups=("bulk", "liquid", "slab", "melt"), elements=elements).frames:
        atoms = frame.atoms.copy()
        virial = " ".join(map(repr, frame.virial.ravel().tolist()))
        atoms.info = {"config_type": frame.group, "energy": frame.energy, "virial": virial}
        atoms.arrays["forces"] = frame.forces
        images.append(atoms)
    for symbol in elements:
        one = Atoms(symbol, positions=[[9, 9, 9]], cell=[18] * 3, pbc=True)
        one.info = {"config_type": "isolated_atom", "energy": -0.3}
        images.append(one)
    write("t.xyz", images, format="extxyz")
    gap, rest = FORMS[form]
    Path("fit.cfg").write_text(
        f"atoms_filename=t.xyz gap={{ {gap}}} default_sigma={{0.002 0.1 0.1 0.0}} {rest}\n"
        "force_parameter_name=forces sparse_jitter=1.0e-8 do_copy_at_file=F rnd_seed=4 gp_file=own.xml\n"
    )
    ran = subprocess.run(
        [gap_fit_program(), "config_file=fit.cfg"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-500:]
    found = study_from_source("fit.cfg")
    assert not found.lost
    runner = TrialRunner(study_from_dict(dict(found.study), str(tmp_path)))
    ours = final_model(runner, {}, tmp_path / "ours", seed=found.study["seed"]).potential
    one, two = (quippy.Potential(param_filename=str(f)) for f in ("own.xml", ours.path("potential")))
    for atoms in read("t.xyz", ":"):
        energies, forces = [], []
        for calculator in (one, two):
            atoms.calc = calculator
            energies.append(atoms.get_potential_energy())
            forces.append(atoms.get_forces())
        assert abs(energies[0] - energies[1]) / len(atoms) < 1e-6
        assert np.abs(forces[0] - forces[1]).max() < 1e-5
