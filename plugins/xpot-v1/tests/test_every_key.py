"""Every key of the published inputs of XPOT 1.x: what another value changes in the study, or that it does not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from xpot_v1.importer import XpotImporter

from xpot_core.api import InputError, NoOptions

REAL = "skopt.space.Real(3,6)"
SNAP: dict[str, Any] = {
    "xpot": {
        "fitting_executable": "fitsnap3",
        "lammps_executable": "lmp",
        "project_name": "opt",
        "sweep_name": "first",
        "error_method": "rmse",
        "training_data": "../../../data/all.xyz",
        "validation_data": "../../../data/valid.xyz",
        "validaton_data": "",
        "alpha": "0.75",
        "xval_sets": "1",
        "base_directory": "./",
        "atomic_numbers": "14",
    },
    "[BISPECTRUM]": {
        "numTypes": "1",
        "twojmax": "6",
        "rcutfac": REAL,
        "rfac0": "0.99363",
        "rmin0": "0",
        "wj": "1",
        "radelem": "0.5",
        "type": "Si",
        "wselfallflag": "0",
        "chemflag": "0",
        "bzeroflag": "1",
        "bnormflag": "0",
        "quadraticflag": "1",
    },
    "[CALCULATOR]": {"calculator": "LAMMPSSNAP", "energy": "1", "force": "1", "stress": "1"},
    "[ESHIFT]": {"Si": "0"},
    "[SOLVER]": {
        "solver": "SVD",
        "compute_testerrs": "1",
        "detailed_errors": "1",
        "normweight": "",
        "normratio": "0.5",
    },
    "[SCRAPER]": {"scraper": "XYZ"},
    "[PATH]": {"dataPath": "../../../data"},
    "[OUTFILE]": {"metrics": "m.md", "potential": "pot"},
    "[REFERENCE]": {
        "units": "metal",
        "atom_style": "atomic",
        "pair_style": "hybrid/overlay zero 10.0 zbl 3.0 3.8",
        "pair_coeff1": "* * zero",
        "pair_coeff2": "* * zbl 14 14",
    },
    "[GROUPS]": {
        "group_sections": "name training_size testing_size eweight fweight vweight",
        "group_types": "str float float float float float",
        "smartweights": "0",
        "random_sampling": "0",
        "BOLTZT": "",
        "solid": "1.0 0.0 skopt.space.Real(100,15000) 2 1.0E-12",
        "melt": "1.0 0.0 100 1 1.0E-12",
        "split_test": "0.0 1.0 20 1 1.0E-12",
    },
    "[EXTRAS]": {
        "dump_descriptors": "0",
        "dump_truth": "0",
        "dump_weights": "0",
        "dump_dataframe": "0",
    },
    "[MEMORY]": {"override": "0", "memory": ""},
}
_COLUMNS = "name training_size testing_size fweight eweight vweight"
SNAP_EFFECTS: dict[str, tuple[Any, dict[str, Any] | str]] = {
    "xpot fitting_executable": ("fitsnap", {}),
    "xpot lammps_executable": ("/opt/lmp", {}),
    "xpot project_name": ("other", {}),
    "xpot sweep_name": ("second", {"study": "second", "data.validation": "second_validation.xyz"}),
    "xpot error_method": ("mae", {"loss.energy-force.measure": "mae"}),
    "xpot training_data": ("../../../data/other.xyz", {}),
    "xpot validation_data": ("../../../data/absent.xyz", {"data.validation": "data/absent.xyz"}),
    "xpot validaton_data": ("../../../data/absent.xyz", {}),  # the right spelling counts, where both are there
    "xpot alpha": ("0.5", {"loss.energy-force.alpha": 0.5}),
    "xpot xval_sets": ("5", {}),
    "xpot base_directory": ("/somewhere", {}),
    "xpot atomic_numbers": ("13", {}),
    "[BISPECTRUM] numTypes": ("2", {}),  # type counts them
    "[BISPECTRUM] twojmax": ("8", {"fitter.snap.twojmax": 8}),
    "[BISPECTRUM] rcutfac": ("skopt.space.Real(4,6)", {"fitter.snap.rcutfac.min": 4}),
    "[BISPECTRUM] rfac0": ("0.9", {"fitter.snap.rfac0": 0.9}),
    "[BISPECTRUM] rmin0": ("0.1", {"fitter.snap.rmin0": 0.1}),
    "[BISPECTRUM] wj": ("0.8", {"fitter.snap.wj": 0.8}),
    "[BISPECTRUM] radelem": ("0.4", {"fitter.snap.radelem": 0.4}),
    "[BISPECTRUM] type": ("Ge", {"fitter.snap.reference": "lammps"}),
    "[BISPECTRUM] wselfallflag": ("1", {"fitter.snap.wselfall": True}),
    "[BISPECTRUM] chemflag": ("1", {"fitter.snap.chem": True}),
    "[BISPECTRUM] bzeroflag": ("0", {"fitter.snap.bzero": False, "fitter.snap.constant": True}),
    "[BISPECTRUM] bnormflag": ("1", {"fitter.snap.bnorm": True}),
    "[BISPECTRUM] quadraticflag": ("0", {"fitter.snap.quadratic": False}),
    "[CALCULATOR] calculator": ("LAMMPSPACE", "atomic cluster expansion"),
    "[CALCULATOR] energy": ("0", {"fitter.snap.eweight": 0.0}),
    "[CALCULATOR] force": ("0", {"fitter.snap.fweight": 0.0}),
    "[CALCULATOR] stress": ("0", {"fitter.snap.vweight": 0.0}),
    "[ESHIFT] Si": ("148.3", {"fitter.snap.energy_shift.Si": -148.3}),
    "[SOLVER] solver": ("RIDGE", {"fitter.snap.absolute_ridge": 1e-8}),
    "[SOLVER] compute_testerrs": ("0", {}),
    "[SOLVER] detailed_errors": ("0", {}),
    "[SOLVER] normweight": ("1", {}),
    "[SOLVER] normratio": ("0.7", {}),
    "[SCRAPER] scraper": ("VASP", {"data.train": "data/all.xyz"}),
    "[PATH] dataPath": ("../../../more", {"data.train": "data/all.xyz"}),
    "[OUTFILE] metrics": ("n.md", {}),
    "[OUTFILE] potential": ("other", {"data.train": "other_train.xyz"}),
    "[REFERENCE] units": ("real", "only units metal"),
    "[REFERENCE] atom_style": ("spin", "magnetic moments"),
    "[REFERENCE] pair_style": ("hybrid/overlay zero 10.0 zbl 4.0 4.8", {"fitter.snap.zbl_outer": 4.8}),
    "[REFERENCE] pair_coeff1": ("1 1 zero", {}),
    "[REFERENCE] pair_coeff2": ("* * zbl 6 6", {"fitter.snap.reference": "lammps"}),
    "[GROUPS] group_sections": (_COLUMNS, {"fitter.snap.eweight.melt": 1.0}),
    "[GROUPS] group_types": ("str int float float float float", {}),  # 1 is a number of structures then: other data
    "[GROUPS] smartweights": ("1", {"fitter.snap.eweight.melt": 50.0}),
    "[GROUPS] random_sampling": ("1", {}),
    "[GROUPS] BOLTZT": ("300", {"fitter.snap.boltzmann_temperature": 300.0}),
    "[GROUPS] solid": ("1.0 0.0 100 2 1.0E-12", {"fitter.snap.eweight": 100.0}),
    "[GROUPS] melt": ("1.0 0.0 50 1 1.0E-12", {"fitter.snap.eweight.melt": 50.0}),
    "[GROUPS] split_test": ("0.0 1.0 999 9 1.0E-12", {}),
    "[EXTRAS] dump_descriptors": ("1", {}),
    "[EXTRAS] dump_truth": ("1", {}),
    "[EXTRAS] dump_weights": ("1", {}),
    "[EXTRAS] dump_dataframe": ("1", {}),
    "[MEMORY] override": ("1", {}),
    "[MEMORY] memory": ("4", {}),
}  # fmt: skip
"""Key -> another value, and what then differs in the study; a text is that of the error."""
GAP: dict[str, Any] = {
    "xpot": {
        "fitting_executable": "gap_fit",
        "project_name": "opt",
        "sweep_name": "gap",
        "error_method": "rmse",
        "validation_data": "../../../data/valid.xyz",
        "alpha": "0.5",
    },
    "at_file": "../../../data/all.xyz",
    "gap": {
        "distance_Nb": {
            "order": "2",
            "f0": "0",
            "cutoff": "skopt.space.Real(4,7)",
            "n_sparse": "15",
            "delta": "2",
            "config_type_n_sparse": "",
            "sparse_method": "random",
            "mark_sparse_atoms": "F",
            "add_species": "T",
            "covariance_type": "gaussian",
            "theta_uniform": "1",
        }
    },
    "core_param_file": "",
    "core_ip_args": "",
    "energy_parameter_name": "energy",
    "local_property_parameter_name": "local_property",
    "force_parameter_name": "forces",
    "virial_parameter_name": "virial",
    "hessian_parameter_name": "hessian",
    "config_type_parameter_name": "config_type",
    "sigma_parameter_name": "sigma",
    "force_mask_parameter_name": "force_mask",
    "parameter_name_prefix": "",
    "gap_file": "gap.xml",
    "verbosity": "NORMAL",
    "template_file": "",
    "sparsify_only_no_fit": "F",
    "e0": "0.0",
    "local_property0": "",
    "e0_offset": "0.0",
    "e0_method": "isolated",
    "default_sigma": ["0.002", "0.2", "0.1", "0"],
    "sparse_jitter": "1.0e-8",
    "hessian_delta": "1.0e-2",
    "config_type_kernel_regularisation": "",
    "config_type_sigma energy": "",
    "config_type_sigma force": "",
    "config_type_sigma virial": "",
    "config_type_sigma hessian": "",
    "kernel_regularisation_is_per_atom": "T",
    "sigma_per_atom": "T",
    "do_copy_atoms_file": "T",
    "do_copy_at_file": "T",
    "sparse_separate_file": "T",
    "sparse_use_actual_gpcov": "F",
    "rnd_seed": "1",
    "openmp_chunk_size": "10000",
    "do_ip_timing": "F",
}
_NB = "fitter.gap.descriptors.0.distance_Nb."
GAP_EFFECTS: dict[str, tuple[Any, dict[str, Any] | str]] = {
    "xpot fitting_executable": ("gap", {}),
    "xpot project_name": ("other", {}),
    "xpot sweep_name": ("second", {"study": "second"}),
    "xpot error_method": ("mae", {"loss.energy-force.measure": "mae"}),
    "xpot validation_data": ("../../../data/absent.xyz", {"data.validation": "data/absent.xyz"}),
    "xpot alpha": ("0.9", {"loss.energy-force.alpha": 0.9}),
    "at_file": ("../../../data/absent.xyz", {"data.train": "data/absent.xyz"}),
    "gap distance_Nb order": ("3", {f"{_NB}order": 3}),
    "gap distance_Nb f0": ("0.5", {f"{_NB}more.f0": 0.5}),
    "gap distance_Nb cutoff": ("skopt.space.Real(4,6)", {f"{_NB}cutoff.max": 6.0}),
    "gap distance_Nb n_sparse": ("20", {f"{_NB}n_sparse": 20}),
    "gap distance_Nb delta": ("3", {f"{_NB}delta": 3.0}),
    "gap distance_Nb config_type_n_sparse": ("solid:4", "takes n_sparse or config_type_n_sparse"),
    "gap distance_Nb sparse_method": ("uniform", {f"{_NB}sparse_method": "uniform"}),
    "gap distance_Nb mark_sparse_atoms": ("T", {}),
    "gap distance_Nb add_species": ("F", {f"{_NB}species": "any"}),
    "gap distance_Nb covariance_type": ("pp", {f"{_NB}covariance_type": "pp"}),
    "gap distance_Nb theta_uniform": ("2", {f"{_NB}theta_uniform": 2.0}),
    "core_param_file": ("core.xml", {}),  # without core_ip_args
    "core_ip_args": ("IP Glue", {"fitter.gap.core_ip_args": "IP Glue"}),
    "energy_parameter_name": ("dft", {"data.keys.energy": "dft"}),
    "local_property_parameter_name": ("charge", {}),
    "force_parameter_name": ("dft", {"data.keys.forces": None}),
    "virial_parameter_name": ("w", {"data.keys.virial": "w"}),
    "hessian_parameter_name": ("h", {}),
    "config_type_parameter_name": ("kind", {"data.group_by": "kind"}),
    "sigma_parameter_name": ("s", {"data.keys.energy_sigma": "energy_s"}),
    "force_mask_parameter_name": ("m", {"data.keys.force_mask": "m"}),
    "parameter_name_prefix": ("dft_", {"data.keys.energy": "dft_energy"}),
    "gap_file": ("other.xml", {}),
    "verbosity": ("VERBOSE", {}),
    "template_file": ("t.xyz", "template"),
    "sparsify_only_no_fit": ("T", {}),
    "e0": ("-1.5", {"fitter.gap.e0": -1.5}),
    "local_property0": ("0", {}),  # e0 is 0 anyway
    "e0_offset": ("0.5", {"fitter.gap.e0_offset": 0.5}),
    "e0_method": ("average", {}),  # e0 is given
    "default_sigma": (["0.002", "0.3", "0.1", "0"], {"fitter.gap.sigma_force": 0.3}),
    "sparse_jitter": ("1e-9", {"fitter.gap.sparse_jitter": 1e-9}),
    "hessian_delta": ("1e-3", {}),
    "config_type_kernel_regularisation": ("solid:0.1:0.3:0.2:0", {"fitter.gap.sigma_energy.solid": 0.1}),
    "kernel_regularisation_is_per_atom": ("F", {}),  # the later sigma_per_atom counts
    "sigma_per_atom": ("F", "sigma_per_atom"),
    "do_copy_atoms_file": ("F", {}),
    "do_copy_at_file": ("F", {}),
    "sparse_separate_file": ("F", {}),
    "sparse_use_actual_gpcov": ("T", "sparse_use_actual_gpcov"),
    "rnd_seed": ("8", {"seed": 7}),
    "openmp_chunk_size": ("5", {}),
    "do_ip_timing": ("T", {}),
}  # fmt: skip
NEVER_GIVEN = {f"config_type_sigma {kind}" for kind in ("energy", "force", "virial", "hessian")}
"""Keys that are empty in every published input, and are no argument of gap_fit where they are not."""


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, groups in {"data": ("solid", "melt", "split_test", "valid"), "more": ()}.items():
        Path(folder).mkdir()
        for i, name in enumerate(groups):
            write(f"{folder}/{name}.xyz", [_cell(name, 2 * i + j) for j in range(2)], format="extxyz")
    write("data/all.xyz", [_cell(name, i) for i, name in enumerate(("solid", "melt"))], format="extxyz")


def _cell(group: str, number: int) -> Atoms:
    atoms = Atoms("Si2", [[0, 0, 0], [2.3, 0, 0.1 * number]], cell=[6, 6, 6], pbc=True)
    atoms.info |= {
        "config_type": group,
        "kind": "one",
        "energy_s": 0.1,
        "virial": np.full(9, 0.1),
        "w": np.full(9, 0.2),
    }
    atoms.arrays["m"] = np.array([True, False])
    stress = np.full(6, 0.01 * number)
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0 - number, forces=np.ones((2, 3)), stress=stress)
    return atoms


def _keys(tree: dict[str, Any], place: tuple[str, ...] = ()) -> list[str]:
    found = []
    for key, value in tree.items():
        own = (*place, key)
        found += _keys(value, own) if isinstance(value, dict) else [" ".join(own)]
    return found


def _leaves(tree: Any, place: tuple[str, ...] = ()) -> dict[str, Any]:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else None
    if pairs is None:
        return {".".join(place): tree}
    return {k: v for key, value in pairs for k, v in _leaves(value, (*place, str(key))).items()}


def _imported(blocks: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Leaves of the study, and all that is said."""
    for path in Path().glob("*.xyz"):
        path.unlink()
    Path("in.hjson").write_text(json.dumps(blocks))
    found = XpotImporter(NoOptions()).load("in.hjson")
    return _leaves(dict(found.study)), "\n".join([*found.notes, *found.lost])


def _with(blocks: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(blocks)
    node = changed
    *place, last = next(p for p in _places(blocks) if " ".join(p) == key)
    for part in place:
        node = node[part]
    node[last] = value
    return changed


def _places(tree: dict[str, Any], place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in tree.items():
        own = (*place, key)
        found += _places(value, own) if isinstance(value, dict) else [own]
    return found


def _check(blocks: dict[str, Any], key: str, value: Any, effect: dict[str, Any] | str) -> None:
    before, _ = _imported(blocks)
    changed = _with(blocks, key, value)
    if isinstance(effect, str):
        try:
            _, said = _imported(changed)
        except InputError as error:
            said = str(error)
        assert any(word in said for word in effect.split("|")), said
        return
    after, _ = _imported(changed)
    differing = {k for k in {*before, *after} if before.get(k) != after.get(k)}
    assert bool(differing) == bool(effect), {k: (before.get(k), after.get(k)) for k in differing}
    for leaf, expected in effect.items():
        assert after[leaf] == (pytest.approx(expected) if isinstance(expected, float) else expected)


@pytest.mark.parametrize("key", SNAP_EFFECTS)
def test_each_key_of_a_snap_input(key: str) -> None:
    pytest.importorskip("xpot_fitsnap")
    _check(SNAP, key, *SNAP_EFFECTS[key])


@pytest.mark.parametrize("key", GAP_EFFECTS)
def test_each_key_of_a_gap_input(key: str) -> None:
    pytest.importorskip("xpot_gap")
    _check(GAP, key, *GAP_EFFECTS[key])


def test_no_key_is_left_out() -> None:
    assert set(_keys(SNAP)) == set(SNAP_EFFECTS)
    assert set(_keys(GAP)) == set(GAP_EFFECTS) | NEVER_GIVEN
