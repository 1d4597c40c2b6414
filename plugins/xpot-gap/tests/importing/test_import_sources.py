"""Whatever a fit is written in, what is read is what gap_fit reads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ase.io import write
from ase.units import Bohr
from gap_cases import PAIR_TEXT, SOAP_TEXT, make_data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.importing.importer import recognises
from xpot_gap.importing.other_descriptors import cutoff_of, species_settings
from xpot_gap.importing.reading.grammar import arguments_line, is_true, read_descriptors, read_line, real
from xpot_gap.importing.reading.sources import read_source
from xpot_gap.importing.sigmas import rows_by_type
from xpot_gap.importing.study import study_from_arguments, study_from_source

from xpot_core.api import Findings, InputError

ROWS = "a:0.01:0.1:0.1:0.0:b:0.02:0.2:0.2:0.0"
PLAIN = f"at_file=t.xyz gap={{{PAIR_TEXT} : {SOAP_TEXT} n_sparse=9}} default_sigma={{0.1 0.1 0.1 0}} rnd_seed=2 e0=0.5"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _study(source: str) -> Any:
    found = study_from_source(source)
    assert not found.lost
    return found.study


def test_a_script_is_the_command_in_it() -> None:
    script = f"""#!/bin/bash
#SBATCH --time=1:00:00
# gap_fit at_file=other.xyz gap={{none}}
module load gcc; export SEED=2
E0="0.5"
cd $WORK
OMP_NUM_THREADS=4 mpirun -np 2 /opt/bin/gap_fit 'at_file=t.xyz' \\
    'gap={{{PAIR_TEXT} :
       {SOAP_TEXT} n_sparse=9}}' "default_sigma={{0.1 0.1 0.1 0}}" \\
    rnd_seed=${{SEED}} e0=$E0 > fit.log 2>&1 &
echo done
"""
    Path("fit.sh").write_text(script)
    assert recognises("fit.sh")
    assert _study("fit.sh") == _study(PLAIN) == _study(f"gap_fit {PLAIN}")
    Path("fit.sh").write_text(script.replace("SEED=2", "OTHER=2"))
    with pytest.raises(InputError, match=r"'\$\{SEED\}' is put in by the shell"):
        study_from_source("fit.sh")


def test_gap_fit_takes_nothing_but_its_file() -> None:
    Path("gap.cfg").write_text(PLAIN.replace(" : ", " :\n").replace("rnd_seed", "\nrnd_seed"))
    assert recognises("gap.cfg")
    assert _study("gap.cfg") == _study(PLAIN)
    found = study_from_source("gap_fit config_file=gap.cfg at_file=other.xyz gp_file=x.xml")
    assert found.study == _study(PLAIN)
    assert any("without effect are at_file, gp_file" in note for note in found.notes)


def test_a_potential_shows_its_command() -> None:
    lines = PLAIN.replace(" : ", "\n: ")
    Path("gap.xml").write_text(f"<GAP_params><command_line><![CDATA[ {lines}]]></command_line></GAP_params>")
    assert recognises("gap.xml")
    assert _study("gap.xml") == _study(PLAIN)


def test_dictionaries_of_workflows() -> None:
    pair = {
        "cutoff": 4,
        "delta": 0.5,
        "covariance_type": "ard_se",
        "theta_uniform": 1.0,
        "sparse_method": "uniform",
    }
    pair |= {"n_sparse": 4}
    soap = {"cutoff": 4, "n_max": 4, "l_max": 3, "atom_sigma": 0.5, "delta": 0.5, "zeta": 2, "n_sparse": 9}
    soap |= {"covariance_type": "dot_product"}
    general = {"at_file": "t.xyz", "rnd_seed": 2, "e0": 0.5}
    autoplex = {"general": general | {"default_sigma": "{0.1 0.1 0.1 0}"}, "distance_2b": pair, "soap": soap}
    wfl = general | {"default_sigma": [0.1, 0.1, 0.1, 0]}
    wfl |= {"_gap": [{"distance_2b": True, **pair}, {"soap": True, **soap}]}
    flat = general | {"default_sigma": "{0.1 0.1 0.1 0}", "gap": f"{{{PAIR_TEXT} : {SOAP_TEXT} n_sparse=9}}"}
    for number, arguments in enumerate((autoplex, wfl, flat)):
        assert study_from_arguments(arguments).study == _study(PLAIN)
        Path(f"{number}.json").write_text(json.dumps(arguments))
        assert recognises(f"{number}.json")
        assert _study(f"{number}.json") == _study(PLAIN)
    named = {"general": general | {"default_sigma": [1, 1, 1, 0]}, "twob": {"distance_Nb order": 2, **pair}}
    (entry,) = study_from_arguments(named).study["fitter"]["gap"]["descriptors"]
    assert entry["distance_Nb"]["order"] == 2
    arrays = {**soap, "add_species": False, "Z": 8, "n_species": 2, "species_Z": [1, 8]}
    (entry,) = study_from_arguments(wfl | {"_gap": [{"soap": True, **arrays}]}).study["fitter"]["gap"][
        "descriptors"
    ]
    assert (entry["soap"]["species"], entry["soap"]["neighbours"]) == (["O"], ["H", "O"])


PAIR = {"cutoff": 4, "delta": 0.5, "covariance_type": "ard_se", "theta_uniform": 1.0, "n_sparse": 4}
GENERAL = {"at_file": "t.xyz", "rnd_seed": 2, "e0": 0.5, "default_sigma": "{0.1 0.1 0.1 0}"}


@pytest.mark.parametrize("no", [False, "False", "F"])
def test_parts_that_autoplex_switches_off(no: bool | str) -> None:
    general = GENERAL | {"two_body": "True", "three_body": no, "soap": no}
    gap = {"general": general, "threeb": {"distance_Nb order": 3, **PAIR}, "soap": {"no": "matter"}}
    gap |= {"twob": {"distance_Nb order": 2, **PAIR}}
    for number, arguments in enumerate((gap, {"J-ACE": {"order": 3}, "GAP": gap, "MACE": {"r_max": 5.0}})):
        Path(f"{number}.json").write_text(json.dumps(arguments))
        assert recognises(f"{number}.json")
        found = study_from_source(f"{number}.json")
        assert not found.lost
        (entry,) = found.study["fitter"]["gap"]["descriptors"]
        assert entry["distance_Nb"]["order"] == 2


def test_names_without_a_value_as_wfl_has_them() -> None:
    given = {"distance_Nb": None, "add_species": None, "compact_clusters": None, "order": 2, "f0": None}
    found = study_from_arguments(GENERAL | {"_gap": [given | PAIR]})
    (entry,) = found.study["fitter"]["gap"]["descriptors"]
    assert entry["distance_Nb"]["compact_clusters"] is True
    assert "more" not in entry["distance_Nb"]


def test_descriptors_of_one_kind_under_names_of_their_own() -> None:
    arguments = {
        "general": GENERAL,
        "near": {"distance_2b": True, **PAIR},
        "far": {"distance_2b": True, **PAIR},
    }
    Path("two.json").write_text(json.dumps(arguments))
    assert recognises("two.json")
    assert len(_study("two.json")["fitter"]["gap"]["descriptors"]) == 2


def test_templates_of_wfl_are_refused_with_the_reason() -> None:
    Path("stages.json").write_text(json.dumps({"stages": [], "gap_params": {"default_sigma": [1, 1, 1, 0]}}))
    assert recognises("stages.json")
    with pytest.raises(InputError, match="fits in several stages"):
        study_from_source("stages.json")


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.replace("0:b", "0 b"),
        f"\n  {ROWS.replace('0:b', '0:' + chr(10) + ' b')}:\n",
        ROWS.replace(":b", ";b"),
    ],
)
def test_rows_by_group_are_separated_in_several_ways(rows: str) -> None:
    gap = _study(f"{PLAIN} config_type_sigma={{{rows}}}")["fitter"]["gap"]
    assert gap["sigma_energy"] == {"a": 0.01, "b": 0.02}
    assert gap["sigma_virial"] == {"a": 0.1, "b": 0.2}


def test_no_blank_after_the_brace_makes_it_a_setting_of_the_last_descriptor() -> None:
    found = study_from_source(PLAIN.replace("9} ", "9 }energy_parameter_name=dft "))
    assert found.study["data"]["keys"]["energy"] == "energy"
    assert any("knows no energy_parameter_name=dft" in note for note in found.notes)


_WORDS = st.text("abcXYZ019_.-", min_size=1, max_size=8)
_GAPS = st.sampled_from([" ", "  ", "\n", " \n "])
_NUMBERS = st.floats(1e-4, 9).map(lambda x: f"{x:.4g}")


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Settings of gap_fit with blanks, quotes and braces wherever it takes them."""

    def value(inside: str) -> str:
        return draw(st.sampled_from(["{%s}", "'%s'", '"%s"', "{ %s }", "{%s }"])) % inside

    def setting(key: str, text: str) -> str:
        return draw(st.sampled_from(["%s=%s", "%s = %s", "%s =%s"])) % (key, text)

    rows = []
    for name in draw(st.lists(_WORDS.filter(lambda w: w.lower() != "default"), max_size=4, unique=True)):
        separator = draw(st.sampled_from([":", " ", "\n", " : "]))
        rows.append(separator.join([name, *(draw(_NUMBERS) for _ in range(4))]))
    descriptors = []
    for _ in range(draw(st.integers(1, 3))):
        words = draw(
            st.permutations([*PAIR_TEXT.split()[1:], "add_species", "mark_sparse_atoms=F", "f0=0.0"])
        )
        text = draw(_GAPS).join(["distance_2b", *words])
        descriptors.append(draw(st.sampled_from(["%s", "{%s}", " %s "])) % text)
    parts = [
        "at_file=t.xyz",
        setting("gap", "{" + draw(st.sampled_from([":", " : ", ";", "\n:"])).join(descriptors) + "}"),
        setting("default_sigma", value(" ".join(draw(_NUMBERS) for _ in range(4)))),
        setting("core_param_file", value(draw(_WORDS))),
        setting("energy_parameter_name", draw(_WORDS)),
        setting("e0", value(f"Cu:{draw(_NUMBERS)}")),
    ]
    if rows:
        parts.append(
            setting("config_type_sigma", "{" + draw(st.sampled_from([":", " ", ":\n "])).join(rows) + "}")
        )
    return draw(_GAPS).join(draw(st.permutations(parts)))


def _by_gap_fit(text: str) -> tuple[dict[str, str], list[dict[str, str]], list[list[float]]]:
    """What gap_fit says that it read: arguments, descriptors and rows by group."""
    Path("fuzz.cfg").write_text(text)
    ran = subprocess.run(
        [gap_fit_program(), "config_file=fuzz.cfg"], capture_output=True, text=True, check=False
    ).stdout
    read = ran.partition("Input parameters")[2].partition("Gaussian Approximation")[0]
    pairs = [line.split(" = ", 1) for line in read.splitlines() if " = " in line]
    told = {key.strip(): value.strip().strip('"').strip() for key, value in pairs}
    descriptors = [read_line(line[10:-1]) for line in ran.splitlines() if line.startswith("Old GAP: {")]
    rows = ran.partition("types of configurations\n")[2].splitlines()
    numbers = []
    for row in rows:
        words = row.split()
        if len(words) != 5 or words[0] == "Multispecies":
            break
        numbers.append([words[0], *(float(w) for w in words[1:])])
    return told, descriptors, numbers


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines())
def test_random_settings_are_read_as_gap_fit_reads_them(text: str) -> None:
    if not Path("t.xyz").exists():
        atoms = make_data(1).frames[0].atoms
        write("t.xyz", atoms, format="extxyz")
    told, descriptors, rows = _by_gap_fit(text + " dryrun=T")
    ours = read_source("fuzz.cfg", Findings())
    assert told
    for key, value in ours.items():
        assert " ".join(told[key].split()) == " ".join(value.split()), key
    assert descriptors == read_descriptors(ours["gap"])
    expected = {str(name): values[:3] for name, *values in rows}
    named = rows_by_type(ours.get("config_type_sigma", ""))
    assert bool(named) == bool(rows)
    for name, values in named.items():
        assert expected[name] == pytest.approx(values, rel=1e-6)


def test_arguments_of_a_process_get_quotes_as_gap_fit_gives_them() -> None:
    assert arguments_line(["a=b", "c=d e", "f={g h}", "i j"]) == 'a=b c="d e" f={g h} "i j"'
    assert read_line(arguments_line(["core_ip_args=IP Glue", "x"])) == {"core_ip_args": "IP Glue", "x": "x"}
    assert is_true("x", "x")


def test_names_are_read_in_any_letters_and_the_later_one_counts() -> None:
    text = PLAIN.replace("cutoff=4 ", "CUTOFF=3 energy_scale=9 Cutoff=4 ").replace("at_file", "AT_FILE")
    assert _study(text.replace("distance_2b", "Distance_2b").replace("e0=", "e0=7 E0=")) == _study(PLAIN)
    (entry, _) = _study(PLAIN.replace("sparse_method=uniform", "energy_scale=9 sparse_method=uniform"))[
        "fitter"
    ]["gap"]["descriptors"]
    assert entry["distance_2b"]["delta"] == 9.0


def test_each_descriptor_has_its_own_second_names() -> None:
    blind = f"{SOAP_TEXT} n_sparse=9 add_species=F n_species=1"
    found = study_from_source(f"at_file=t.xyz gap={{{blind} Z_center=29}} default_sigma={{1 1 1 0}}")
    assert found.study["fitter"]["gap"]["descriptors"][0]["soap"]["species"] == "any"  # as gap_fit has it
    assert any("knows no Z_center=29" in note for note in found.notes)
    counts = "coordination cutoff=3 n_sparse=2 delta=1 covariance_type=ard_se theta_uniform=1 add_species=F Z_center=29"
    (entry,) = _study(f"at_file=t.xyz gap={{{counts}}} default_sigma={{1 1 1 0}}")["fitter"]["gap"][
        "descriptors"
    ]
    assert entry["other"]["more"] == {"Z_center": 29, "add_species": False} or entry["other"]["more"] == {
        "Z_center": 29
    }


@pytest.mark.parametrize(
    ("kind", "elements", "settings"),
    [
        ("rdf", ["Cu", "Ag"], [{"Z": 29}, {"Z": 47}]),
        ("co_distance_2b", ["Cu", "Ag"], [{"Z1": 29, "Z2": 29}, {"Z1": 29, "Z2": 47}, {"Z1": 47, "Z2": 47}]),
        ("co_angle_3b", ["Cu"], [{"Z": 29, "Z1": 29, "Z2": 29}]),
        (
            "cosnx",
            ["Cu", "Ag"],
            [{"n_species": 2, "Z": z, "species_Z": "29 47", "w": "0.5 1.0"} for z in (29, 47)],
        ),
        ("water_dimer", ["O", "H"], [{}]),
    ],
)
def test_species_that_gap_fit_adds(kind: str, elements: list[str], settings: list[dict[str, object]]) -> None:
    assert species_settings(kind, {}, elements, Findings()) == settings


def test_species_that_are_not_known_are_lost() -> None:
    findings = Findings()
    assert species_settings("rdf", {}, [], findings) == [{}]
    assert len(findings.lost) == 1
    with pytest.raises(InputError, match="stops at it"):
        species_settings("alex", {}, ["Cu"], findings)


def test_cutoffs_of_symmetry_functions() -> None:
    assert cutoff_of("behler", {}) == pytest.approx(6.0, abs=1e-3)
    assert cutoff_of("behler", {"specification": "2:Cu:0.1:0:5|2:Cu:0.2:0:8"}) == pytest.approx(8 * Bohr)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.0d-3", 1e-3),
        ("1.0D+2", 100.0),
        ("1.0-3", 1e-3),
        ("+.5", 0.5),
        ("2*0.5", 0.5),
        ("0.5,7", 0.5),
        ("1.", 1.0),
        ("1q2", 100.0),
    ],
)
def test_numbers_are_those_of_fortran(text: str, number: float) -> None:
    assert real(text, "") == number


@pytest.mark.parametrize("text", ["1.0x", "d3", "", "1.0e", "one", "."])
def test_what_is_no_number_for_fortran_is_none_here(text: str) -> None:
    with pytest.raises(InputError, match="is no number"):
        real(text, "")


def test_elements_of_e0_are_symbols_in_any_letters_or_atomic_numbers() -> None:
    gap = _study(PLAIN.replace("e0=0.5", "e0={cu:-1.0d0:47: -2 :SI:3}"))["fitter"]["gap"]
    assert gap["e0"] == {"Cu": -1.0, "Ag": -2.0, "Si": 3.0}
    with pytest.raises(InputError, match=r"^e0 = 'Xy': is no element"):
        study_from_source(PLAIN.replace("e0=0.5", "e0={Xy:1}"))


def test_what_gap_fit_adds_only_to_predictions_is_lost() -> None:
    assert not study_from_source(PLAIN.replace("e0=0.5", "local_property0=0.0")).lost
    (lost,) = study_from_source(PLAIN.replace("e0=0.5", "local_property0={Cu:0.5}")).lost
    assert "local_property0" in lost


def test_sparse_points_of_a_file_are_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="takes sparse points from a file"):
        study_from_source(PLAIN.replace("sparse_method=uniform", "sparse_method=index_file sparse_file=f"))
    assert not study_from_source(
        PLAIN.replace("sparse_method=uniform", "sparse_method=uniform only_intra=F")
    ).lost
