"""Fits that others wrote down for gap_fit become studies that make the same fit."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from ase.io import read, write
from gap_cases import PAIR_TEXT, SOAP_TEXT, make_data, make_options, study_from_command
from xpot_gap.gap_fit.command import describe_descriptors, gap_fit_arguments, safe_names
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.gap_fit.sigmas import sigma_arguments
from xpot_gap.importing.study import study_from_source
from xpot_gap.options import GapOptions

from xpot_core.api import InputError
from xpot_core.plugins.registry import load_registry
from xpot_core.setup.importing import import_study
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
        ("gap={distance_9b cutoff=4 n_sparse=4}", "'distance_9b' cannot be taken over"),
        (
            f"gap={{{PAIR_TEXT} covariance_type=bond_real_space}}",
            "covariance_type=bond_real_space is not supported",
        ),
        ("gap={soap cutoff=4", "do not close"),
        ("default_sigma={0.1 0.1}", "four numbers"),
        ("default_sigma={0.1 0.0 0.1 0}", "^default_sigma = .*force sigma must be greater than 0"),
        ("config_type_sigma={a:0.1:0:0:0:b:0.1:0.1:0.1:0}", "^config_type_sigma = .*force sigma"),
        ("config_type_sigma={a:0.1:0.1:0:0:b:0.1:0.1:0.1:0}", "^config_type_sigma = .*virial sigma"),
        ("config_type_sigma={a:b:0.1:0.1:0}", "^config_type_sigma = 'b': is no number"),
        ("rnd_seed=now", "^rnd_seed = 'now': is no whole number"),
        ("e0={Si:x}", "^e0 = 'x': is no number"),
        (f"gap={{{SOAP_TEXT} n_sparse=9 zeta=two}}", "^soap: zeta = 'two': is no number"),
        (f"gap={{{SOAP_TEXT} n_sparse=9 n_max=4.5}}", "^soap: n_max = '4.5': is no whole number"),
        (
            f"gap={{{SOAP_TEXT} n_sparse=9 theta_uniform=1}}",
            "covariance_type dot_product needs zeta, and nothing else",
        ),
        (f"gap={{{PAIR_TEXT} add_species=F Z1=200 Z2=1}}", "^distance_2b: Z1 = '200': is no atomic number"),
        (f"gap={{{SOAP_TEXT} n_sparse=9 add_species=F Z=-1}}", "^soap: Z = '-1': is no atomic number"),
        (
            f"gap={{{SOAP_TEXT} n_sparse=9 add_species=F species_Z={{{{1 8}}}}}}",
            "names 2 species, n_species is 1",
        ),
        (
            f"gap={{{SOAP_TEXT} n_sparse=9 add_species=F n_Z=2 Z={{{{1}}}}}}",
            "^soap: Z = '1': names 1 species, n_Z",
        ),
        (
            f"gap={{{SOAP_TEXT} n_sparse=9 n_Z=2 Z={{{{1 8}}}}}}",
            "^soap: n_Z = '2': gap_fit needs add_species=F",
        ),
        (f"gap={{{PAIR_TEXT.replace('=1.0', '={{1.0 2.0}}')}}}", "theta_uniform = '1.0 2.0': is no number"),
        (f"gap={{{SOAP_TEXT} n_sparse=9 add_species=maybe}}", "add_species = 'maybe': is no logical value"),
        (f"gap={{{SOAP_TEXT} config_type_n_sparse={{a:10:b}}}}", "^config_type_n_sparse = 'a:10:b'"),
        (f"gap={{{SOAP_TEXT} config_type_n_sparse={{a:b}}}}", "^config_type_n_sparse = 'b'"),
        (
            f"gap={{{SOAP_TEXT} n_sparse=4 config_type_n_sparse={{a:9}}}}",
            "takes n_sparse or config_type_n_sparse, not both",
        ),
        (f"gap={{{SOAP_TEXT}}}", "gives neither n_sparse nor config_type_n_sparse"),
        (f"gap={{{SOAP_TEXT} cutoff=abc n_sparse=9}}", "^soap: cutoff = 'abc'"),
        (f"gap={{{SOAP_TEXT} n_sparse=9 sparse_method=best}}", "^soap.sparse_method = 'best'"),
        (
            "gap={soap cutoff=4 n_sparse=9 delta=1 covariance_type=dot_product zeta=1}",
            "gives no n_max, l_max, atom_sigma",
        ),
        (f"gap={{{PAIR_TEXT.replace('theta_uniform=1.0', '')}}}", "needs theta_uniform or theta_fac"),
        ("sparse_jitter=small", "^sparse_jitter = 'small'"),
        ("default_sigma=", "^default_sigma: is missing"),
    ],
)
def test_what_cannot_be_read_is_named(changed: str, message: str) -> None:
    base = {"at_file": "a.xyz", "gap": f"{{{SOAP_TEXT} n_sparse=9}}", "default_sigma": "{0.1 0.1 0.1 0}"}
    key, _, value = changed.partition("=")
    with pytest.raises(InputError, match=message):
        study_from_command("gap_fit " + " ".join(f"{k}={v}" for k, v in {**base, key: value}.items()))


@pytest.mark.parametrize(
    ("changed", "lost"),
    [
        ("sigma_per_atom=F", "sigma_per_atom=F is not supported"),
        ("sparse_use_actual_gpcov=T", "sparse_use_actual_gpcov=T"),
        ("template_file=t.xyz", "template_file=t.xyz"),
        ("sparse_jiter=1e-8", "gap_fit has no argument sparse_jiter=1e-8; did you mean sparse_jitter?"),
        (f"gap={{{SOAP_TEXT} n_sparse=9 sparse_method=none sparse_file=points}}", "sparse_file=points"),
    ],
)
def test_what_changes_the_fit_and_is_not_carried_is_told(changed: str, lost: str) -> None:
    base = {"at_file": "a.xyz", "gap": f"{{{SOAP_TEXT} n_sparse=9}}", "default_sigma": "{0.1 0.1 0.1 0}"}
    key, _, value = changed.partition("=")
    found = study_from_source("gap_fit " + " ".join(f"{k}={v}" for k, v in {**base, key: value}.items()))
    assert [text for text in found.lost if lost in text], found.lost


TURBO_TEXT = (
    "soap_turbo n_max=4 l_max=3 zeta=4 rcut_hard=4.0 atom_sigma=0.5 delta=1 covariance_type=dot_product n_sparse=3 "
    "sparse_method=uniform"
)


@pytest.mark.parametrize(
    ("species", "message"),
    [
        ("", "^soap_turbo: species_Z: gap_fit stops without it"),
        ("n_species=1 species_Z={14}", "gap_fit stops at 1 species where the data have 2"),
        ("n_species=2 species_Z={{1 2}} add_species=T", None),  # their number counts, not which
        ("n_species=1 species_Z={15} add_species=F", None),
    ],
)
def test_species_of_soap_turbo_where_gap_fit_stops(
    species: str, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    atoms = bulk("InP", "zincblende", a=5.9)
    atoms.info["energy"] = -1.0
    write("two.xyz", atoms)
    command = (
        f"gap_fit at_file=two.xyz gap={{{TURBO_TEXT} {species}}} default_sigma={{0.1 0.1 0.1 0}} "
        "energy_parameter_name=energy e0=0"
    )
    if message is None:
        study_from_command(command)
    else:
        with pytest.raises(InputError, match=message) as caught:
            study_from_command(command)
        assert "species_Z={49 15}" in str(caught.value)


def test_lost_settings_need_a_word_of_the_user() -> None:
    registry = load_registry()
    source = (
        f"gap_fit at_file=a.xyz gap={{{SOAP_TEXT} n_sparse=9}} default_sigma={{1 1 1 1}} sigma_per_atom=F"
    )
    with pytest.raises(
        InputError, match="cannot be carried over: sigma_per_atom=F is not supported"
    ) as refused:
        import_study(registry, source, "gap-fit")
    assert "--lossy" in str(refused.value)
    assert "# Lost: sigma_per_atom=F is not supported." in import_study(
        registry, source, "gap-fit", lossy=True
    )


def test_defaults_are_no_error_and_have_no_effect() -> None:
    defaults = (
        "hessian_delta=1.0e-2 kernel_regularisation_is_per_atom=T sigma_per_atom=T openmp_chunk_size=10000 "
        "do_ip_timing=F verbosity=NORMAL e0_offset=0.0 sigma_parameter_name=sigma "
        "force_mask_parameter_name=force_mask sparse_use_actual_gpcov=F stress_parameter_name=stress "
        "core_ip_args= core_param_file=quip_params.xml config_type_sigma= linear_system_dump_file="
    )
    gap = f"{SOAP_TEXT} n_sparse=9 mark_sparse_atoms=F f0=0.0 normalise=T central_weight=1.0 cutoff_dexp=0 "
    gap += "sparse_file= theta_file= compress_file="
    command = f"at_file=a.xyz gap={{%s}} default_sigma={{0.1 0.1 0.1 0}} {defaults} rnd_seed=3"
    found = study_from_source(command % gap)
    assert not found.lost
    plain = GapOptions.model_validate(
        study_from_source(command % f"{SOAP_TEXT} n_sparse=9").study["fitter"]["gap"]
    )
    assert GapOptions.model_validate(found.study["fitter"]["gap"]) == plain


def test_a_logical_setting_without_a_value_is_true() -> None:
    gap = f"{PAIR_TEXT.replace('distance_2b', 'distance_Nb order=3')} compact_clusters : {SOAP_TEXT} normalise average"
    found = study_from_command(f"gap_fit at_file=a.xyz gap={{{gap} n_sparse=2}} default_sigma={{1 1 1 0}}")
    clusters, soap = (next(iter(d.values())) for d in found["fitter"]["gap"]["descriptors"])
    assert clusters["compact_clusters"] is True
    assert soap["normalise"] is True
    assert soap["more"] == {"average": True}


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
    study = study_from_command(f"gap_fit at_file=a.xyz gap={{{SOAP_TEXT} n_sparse=9}} {sigmas}")
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

    def points(numbers: str, sigmas: str = "") -> dict[str, Any]:
        command = f"at_file=train.xyz gap={{{SOAP_TEXT} {numbers}}} default_sigma={{0.1 0.1 0.1 0}} {sigmas}"
        soap = study_from_command(command)["fitter"]["gap"]["descriptors"][0]["soap"]
        return {key: value for key, value in soap.items() if key in ("n_sparse", "pool", "pool_groups")}

    two = {"bulk": 5, "liquid": 0, "melt": 0, "slab": 2}
    assert points("config_type_n_sparse={bulk:5:slab:2}") == {"n_sparse": two}
    # The one group without a name.
    three = "config_type_n_sparse={bulk:5:slab:2:melt:1"
    assert points(f"{three}:default:4}}") == {"n_sparse": {"bulk": 5, "liquid": 4, "melt": 1, "slab": 2}}
    # Several without a name share a pool, in which those with sigmas of their own have no part.
    one = {"n_sparse": {"bulk": 5, "liquid": 0, "melt": 0, "slab": 0}, "pool": 4}
    pool = "config_type_n_sparse={{bulk:5 default:4}}"
    assert points(pool) == {**one, "pool_groups": ["liquid", "melt", "slab"]}
    sigmas = "config_type_sigma={slab:0.1:0.1:0.1:0}"
    assert points(pool, sigmas) == {**one, "pool_groups": ["liquid", "melt"]}
    monkeypatch.chdir("/")
    assert points("config_type_n_sparse={bulk:5:default:4}") == {"n_sparse": {"bulk": 5}}


@pytest.mark.slow
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
