"""Forms of gap_fit commands that stand in public scripts, papers' repositories and documentation, with data to fit.

    python benchmarks/migration_forms.py FOLDER
    python benchmarks/migration.py FOLDER

The numbers are ours, and so small that each fit takes seconds. The data are two structures of each group of the silicon
set of Zuo et al. and small cells of InP (``XPOT_DATA``), with isolated atoms.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

DATA = Path(os.environ.get("XPOT_DATA") or Path(__file__).parents[2] / "shared" / "data")
PAIR = (
    "distance_2b cutoff=4.0 covariance_type=ard_se cutoff_transition_width=0.6 delta=0.6 theta_uniform=1.0 "
    "sparse_method=uniform add_species=T n_sparse=20"
)
BLIND_PAIR = PAIR.replace("add_species=T", "add_species=F")
ANGLE = (
    "angle_3b cutoff=3.2 delta=0.4 theta_uniform=1.0 covariance_type=ard_se sparse_method=uniform n_sparse=30"
)
NB = "covariance_type=ard_se delta=1.8 theta_uniform=2.2 sparse_method=uniform compact_clusters=T"
NB_2 = f"distance_Nb order=2 cutoff=4.8 n_sparse=12 {NB}"
TIGHT = NB.replace("delta=1.8 theta_uniform=2.2", "delta=1.5 theta_uniform=1.0")
SOAP = (
    "soap cutoff=4 n_max=4 l_max=4 delta=0.05 atom_sigma=0.6 zeta=2 n_sparse=40 normalise=T sparse_method=cur_points "
    "covariance_type=dot_product"
)
OLD_SOAP = (
    "soap l_max=4 n_max=8 atom_sigma=0.5 cutoff=4.8 radial_scaling=-0.5 cutoff_transition_width=1.0 central_weight=1.0 "
    "n_sparse=50 delta=0.2 covariance_type=dot_product zeta=4 sparse_method=cur_points"
)
TURBO = (
    "soap_turbo l_max=5 alpha_max={{6}} atom_sigma_r={{0.5}} atom_sigma_t={{0.5}} atom_sigma_r_scaling={{0.0}} "
    'atom_sigma_t_scaling={{0.0}} zeta=4 rcut_hard=5.0 rcut_soft=4.5 delta=1.0 basis="poly3" '
    'scaling_mode="polynomial" amplitude_scaling={{1.0}} n_species=1 species_Z={14} add_species=F '
    "radial_enhancement=1 central_weight={{1.0}} covariance_type=dot_product "
    "config_type_n_sparse={Elastic:20:Surface:10:default:30} sparse_method=cur_points"
)
DEFAULT = "'default_sigma={0.002 0.1 0.1 0.0}'"
ROWS = (
    f"{DEFAULT} 'config_type_sigma={{\n  isolated_atom:0.0001:0.01:1.0:0.0:\n  Elastic:0.0004:0.03:0.05:0.00:\n"
    "  Surface:0.003:0.3:0.5:0.0 }'"
)
BY_BLANKS = f"{DEFAULT} 'config_type_sigma={{ Elastic:0.002:0.02:0.2:0.0 Surface:0.003:0.03:0.2:0.0 }}'"
PER_ELEMENT = f"'e0={{In:-0.5:P:-0.3}}' {DEFAULT}"
ALL_DEFAULTS = (
    "hessian_delta=1.0e-2 kernel_regularisation_is_per_atom=T sigma_per_atom=T openmp_chunk_size=10000 do_ip_timing=F "
    "verbosity=NORMAL e0_offset=0.0 sigma_parameter_name=sigma force_mask_parameter_name=force_mask"
)
FORMS: dict[str, tuple[str, str]] = {
    "01 distance_Nb, soap, sigmas by group in lines": (f"{NB_2} : {OLD_SOAP} ", ROWS),
    "02 sigmas by group with blanks": (f"{NB_2} : {OLD_SOAP} ", BY_BLANKS),
    "03 clusters of three, e0": (f"distance_Nb order=3 cutoff=3.2 n_sparse=40 {TIGHT}", f"'e0={{Si:-0.8}}' {DEFAULT}"),
    "04 add_species, isolated atoms": (f"{PAIR} : {SOAP} add_species", f"e0_method=isolated {DEFAULT}"),
    "05 angle_3b": (f"{PAIR} : {ANGLE} : {SOAP} add_species", f"e0_method=isolated {DEFAULT}"),
    "06 soap_turbo, sparse points by group": (TURBO, f"'e0={{Si:-0.8}}' {DEFAULT}"),
    "07a all defaults, no blank after the brace": (
        f"{PAIR} : {SOAP} mark_sparse_atoms=F f0=0.0 ",
        f"{DEFAULT} {ALL_DEFAULTS}",
    ),
    "07b local_property0": (f"{PAIR} : {SOAP}", f"{DEFAULT} local_property0=0.0"),
    "07c one e0, offset": (f"{PAIR} : {SOAP}", f"{DEFAULT} e0=-0.2 e0_offset=0.1"),
    "08a InP, one species": (f"{PAIR} : {SOAP} Z=49 n_species=1 species_Z={{49}} add_species=F", PER_ELEMENT),
    "08b InP, blind to species": (f"{BLIND_PAIR} : {SOAP} add_species=F", PER_ELEMENT),
    "08c InP, all species": (f"{PAIR} : {SOAP} add_species", f"{DEFAULT} e0_method=isolated"),
    "08d InP, average e0": (f"{PAIR} : {SOAP} add_species", f"{DEFAULT} e0_method=average"),
    "08e InP, species one by one": (
        f"{BLIND_PAIR} Z1=49 Z2=15 : distance_Nb order=3 cutoff=3.0 n_sparse=10 {NB} : {SOAP} add_species=F Z=15 "
        "n_species=2 species_Z={{49 15}}",
        PER_ELEMENT,
    ),
    "11 InP, n_Z": (f"{SOAP} add_species=F n_Z=2 Z={{{{15 49}}}} n_species=2 species_Z={{{{15 49}}}}", PER_ELEMENT),
    "12 theta_fac by coordinate": (
        ANGLE.replace("theta_uniform=1.0", "theta_fac={{0.5 0.7 0.9}}"),
        f"{DEFAULT} e0=0.1",
    ),
    "13 theta_file": (ANGLE.replace("theta_uniform=1.0", "theta_file=scales"), f"{DEFAULT} e0=0.1"),
    "14 sparse points from a file": (
        f"{SOAP} sparse_file=points".replace("cur_points", "index_file"),
        f"{DEFAULT} e0=0.1",
    ),
    "15 sigmas of whole structures": (f"{PAIR}", f"{DEFAULT} e0=0.1 sigma_per_atom=F"),
}  # fmt: skip
"""Name of a file -> what stands in ``gap``, and further arguments."""


def script(name: str, gap: str, rest: str) -> str:
    """A shell script with one command."""
    data = "inp.xyz" if "InP" in name else "t.xyz"
    names = "force_parameter_name=forces"
    names = (
        f"}}energy_parameter_name=energy' {names}"
        if name.startswith("07a")
        else f"}}' energy_parameter_name=energy {names}"
    )
    return (
        f"#!/bin/bash\nexport OMP_NUM_THREADS=1\ngap_fit 'at_file={data}' \\\n  'gap={{{gap}{names} {rest} rnd_seed=5 "
        "gp_file=gap.xml > fit.log 2>&1\n"
    )


def plain(frames: Sequence[Atoms], energies: Mapping[str, float]) -> list[Atoms]:
    """Structures with the keys energy, forces and virial, and isolated atoms."""
    found = []
    for frame in frames:
        bare = Atoms(frame.symbols, positions=frame.positions, cell=frame.cell, pbc=True)
        results = {**(frame.calc.results if frame.calc else {}), **frame.info, **frame.arrays}
        values = [results.get(f"REF_{key}", results.get(key)) for key in ("energy", "forces", "virial")]
        bare.info = {
            "config_type": frame.info["config_type"],
            "energy": float(np.asarray(values[0], dtype=float)),
        }
        if values[2] is not None:
            bare.info["virial"] = " ".join(map(repr, np.ravel(values[2]).astype(float).tolist()))
        bare.arrays["forces"] = np.asarray(values[1])
        found.append(bare)
    for symbol, energy in energies.items():
        one = Atoms(symbol, positions=[[10, 10, 10]], cell=[20] * 3, pbc=True)
        one.info = {"config_type": "isolated_atom", "energy": energy}
        one.arrays["forces"] = np.zeros((1, 3))
        found.append(one)
    return found


def main() -> None:
    """Write all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[Atoms]] = {}
    for frame in read(DATA / "zuo2020" / "Si_train.xyz", ":")[::5]:
        groups.setdefault(frame.info["config_type"], []).append(frame)
    silicon = [frame for own in groups.values() for frame in sorted(own, key=len)[:2]]
    write(folder / "t.xyz", plain(silicon, {"Si": -0.8}), format="extxyz")
    cells = [frame for frame in read(DATA / "inp" / "InP_train.xyz", ":")[::40] if len(frame) <= 16][:14]
    write(folder / "inp.xyz", plain(cells, {"In": -0.5, "P": -0.3}), format="extxyz")
    (folder / "scales").write_text("0.5 0.7 0.9\n", encoding="utf-8")
    (folder / "points").write_text("1\n2\n3\n", encoding="utf-8")
    for name, (gap, rest) in FORMS.items():
        (folder / f"{name}.sh").write_text(script(name, gap, rest), encoding="utf-8")
    lines = [f"at_file=t.xyz gap={{{PAIR} :", f"{SOAP}}}", *BY_BLANKS.replace("'", "").split("\n")]
    settings = "\n".join([*lines, "force_parameter_name=forces rnd_seed=5"])
    (folder / "09 config_file.cfg").write_text(settings + " gp_file=gap.xml\n", encoding="utf-8")
    pair = {
        "cutoff": 4.0,
        "cutoff_transition_width": 1.0,
        "covariance_type": "ard_se",
        "delta": 0.5,
        "theta_uniform": 1.0,
    }
    pair |= {"sparse_method": "uniform", "n_sparse": 10}
    soap = {"cutoff": 4.0, "n_max": 4, "l_max": 4, "delta": 0.1, "zeta": 4, "covariance_type": "dot_product"}
    soap |= {"sparse_method": "cur_points", "n_sparse": 30}
    general = {
        "at_file": "t.xyz",
        "energy_parameter_name": "energy",
        "force_parameter_name": "forces",
        "rnd_seed": 5,
    }
    autoplex = {"general": general | {"default_sigma": "{0.008 0.04 0 0}", "virial_parameter_name": "none"}}
    autoplex |= {"distance_2b": pair, "soap": soap | {"atom_sigma": 0.5, "add_species": "T"}}
    (folder / "10a autoplex.json").write_text(json.dumps(autoplex), encoding="utf-8")
    one = {"atom_gaussian_width": 0.5, "add_species": False, "Z": 14, "n_species": 1, "species_Z": [14]}
    wfl = general | {"default_sigma": [0.008, 0.04, 0.1, 0.0], "sparse_separate_file": False}
    wfl |= {"config_type_sigma": [["Elastic", 0.001, 0.02, 0.05, 0.0]]}
    wfl |= {"_gap": [{"distance_Nb": True, "order": 2, **pair}, {"soap": True, **soap, **one}]}
    (folder / "10b wfl.json").write_text(json.dumps(wfl), encoding="utf-8")


if __name__ == "__main__":
    main()
