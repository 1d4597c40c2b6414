"""FitSNAP inputs: written, read back, and those of others."""

import ast
import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from xpot_fitsnap.importing.keys import LEFT, TRANSLATED
from xpot_fitsnap.importing.study import study_from_fitsnap
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.export import write_fitsnap
from xpot_fitsnap.writing.groups import group_plan
from xpot_fitsnap.writing.plan import Plan
from xpot_fitsnap.writing.sections import fitsnap_settings
from xpot_lammps_session.testing import small_data

from xpot_core.api import Frame, InputError, RowFactors, resolve


def imported(study):
    """Options of an imported study; those of the solver are of the fitter ``snap`` alone."""
    return FitsnapOptions(
        **{k: v for k, v in study["fitter"]["snap"].items() if k not in ("ridge", "absolute_ridge", "solver")}
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"twojmax": {"In": 4, "P": 2}, "quadratic": True, "wj": {"In": 1.0, "P": 0.7}},
        {"constant": False, "rmin0": 0.05, "rfac0": 0.8, "rcutfac": 3.7},
        {"chem": True, "bnorm": True, "wselfall": True, "switch": False},
        {"sinner": {"In": 2.0, "P": 1.5}, "dinner": 0.2, "radelem": {"In": 0.5, "P": 0.4}},
        {"reference": "zbl", "zbl_inner": 2.0, "zbl_outer": 2.9},
        {
            "reference": "zbl",
            "zbl_inner": {"In-In": 2.1, "In-P": 1.6, "P-P": 1.9},
            "zbl_outer": {"In-In": 2.6, "In-P": 1.9, "P-P": 2.2},
        },
        {"reference": "zbl", "zbl_inner": 1.5, "zbl_outer": {"In-In": 2.6, "In-P": 1.9, "P-P": 2.6}},
        {
            "reference": "lammps",
            "pair_style": "hybrid/overlay zbl 2.0 2.9 lj/cut 4.0",
            "pair_coeff": ["1 1 zbl 49 49", "* * lj/cut 0.01 2.0"],
        },
        {
            "eweight": {"bulk": 10.0, "cluster": 0.5, "strained": 3.0},
            "vweight": 0.25,
            "energy_shift": {"In": -1.5, "P": 2.0},
        },
    ],
)
def test_export_and_import_agree(given, tmp_path):
    data = small_data(9, 1, 0)
    options = FitsnapOptions(**{"vweight": 0.1, "energy_shift": {"In": 0.0, "P": 0.0}, **given})
    infile = write_fitsnap(tmp_path, options, data)
    study = study_from_fitsnap(str(tmp_path / infile))
    back = imported(study)
    assert fitsnap_settings(back, data.elements) == fitsnap_settings(options, data.elements)
    assert back.energy_shift == options.energy_shift
    frames = read(tmp_path / study["data"]["train"], ":")
    assert len(frames) == 9  # the evaluation-only frame stays at home
    plan = Plan.of(options, data)
    for frame in frames:
        group = frame.info["config_type"]
        assert resolve(back.eweight, group) == pytest.approx(plan.table[group].eweight)
        assert resolve(back.vweight, group) == pytest.approx(plan.table[group].vweight * 1e4)
    assert sorted(plan.names) == sorted(a.info["config_type"] for a in frames)
    original = sorted(f.energy for f in data.training().frames)
    assert sorted(a.info["REF_energy"] for a in frames) == pytest.approx(original, rel=1e-7)
    first = next(f for f in data.frames if f.group == "bulk")
    same = next(a for a in frames if a.info["REF_energy"] == pytest.approx(first.energy, rel=1e-7))
    assert same.info["REF_virial"].reshape(3, 3) == pytest.approx(first.virial, rel=1e-6, abs=1e-7)


def plan_of(frames, **weights):
    ones = [RowFactors(1.0, np.ones((f.n_atoms, 3)), np.ones((3, 3))) for f in frames]
    return group_plan(frames, FitsnapOptions(**weights), ones)


def test_missing_targets_get_groups_of_their_own():
    data = small_data(3, 0, 0)
    f = data.frames[0]
    frames = [
        f,
        Frame(f.atoms, None, f.forces, f.virial, f.group),
        Frame(f.atoms, f.energy, None, None, f.group),
    ]
    names, table = plan_of(frames, eweight=1.0, fweight=1.0, vweight=1.0)
    assert names == ["bulk", "bulk-no-energy", "bulk-no-forces-virial"]
    assert (table[names[1]].eweight, table[names[1]].fweight) == (0.0, 1.0)
    assert (table[names[2]].fweight, table[names[2]].vweight) == (0.0, 0.0)
    odd = [Frame(f.atoms, 1.0, f.forces, f.virial, g) for g in ("name", "a b", "a:b")]
    names, table = plan_of(odd, eweight={"name": 1.0, "a b": 2.0, "a:b": 3.0}, fweight=1.0, vweight=1.0)
    assert names == ["name_", "a_b", "a_b_"]
    assert table["a_b_"].eweight == 3.0


def test_boltzmann_export_has_one_group_a_structure(tmp_path):
    data = small_data(6, 0, 0)
    infile = write_fitsnap(tmp_path, FitsnapOptions(boltzmann_temperature=1000.0, twojmax=2), data)
    assert (
        sum(
            line.startswith(("bulk-", "cluster-", "strained-"))
            for line in (tmp_path / infile).read_text().splitlines()
        )
        == 6
    )


FITSNAP_INPUT = """
[BISPECTRUM]
numTypes = 2
twojmax = 6 4
rcutfac = 1.0
rfac0 = 0.99363
rmin0 = 0.0
wj = 1.0 0.929316   # a comment
radelem = 3.81205 3.82945
type = P In
bzeroflag = 1
quadraticflag = no
[CALCULATOR]
calculator = LAMMPSSNAP
energy = 1
force = 1
stress = 0
[ESHIFT]
P = -1.38
In = 1.65
[SOLVER]
solver = RIDGE
[REFERENCE]
units = metal
pair_style = hybrid/overlay zero 10.0 zbl 4.0 4.2
pair_coeff1 = * * zero
pair_coeff2 = 1 1 zbl 15 15
pair_coeff3 = 1 2 zbl 15 49
pair_coeff4 = 2 2 zbl 49 49
[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
smartweights = 1
Bulk = 0.9 0.1 100.0 1.0 1e-8
aa = 1.0 0.0 100.0 2.0 1e-8
"""


def test_import_of_a_typical_input(tmp_path):
    (tmp_path / "InP.in").write_text(FITSNAP_INPUT)
    study = study_from_fitsnap(str(tmp_path / "InP.in"))
    options = study["fitter"]["snap"]
    assert imported(study)
    assert options["twojmax"] == {"P": 6, "In": 4}
    assert options["rcutfac"] == 1.0
    assert options["bzero"] is True
    assert options["constant"] is False
    assert options["quadratic"] is False
    assert (options["reference"], options["zbl_inner"], options["zbl_outer"]) == ("zbl", 4.0, 4.2)
    assert options["energy_shift"] == {"P": 1.38, "In": -1.65}
    assert options["eweight"] == 100.0
    assert options["fweight"] == {"Bulk": 1.0, "aa": 2.0}
    assert options["vweight"] == 0.0
    notes = " ".join(study["#"] + study["lost"])
    assert (options["absolute_ridge"], options["ridge"]) == (1e-8, 0.0)
    assert [text.split()[0] for text in study["lost"]] == ["smartweights"]  # structures cannot be counted
    for word in ("smartweights", "No JSON files"):
        assert word in notes


def test_settings_that_change_the_fit_are_lost_and_those_that_are_off_are_not(tmp_path):
    text = FITSNAP_INPUT.replace("smartweights = 1", "").replace(
        "[REFERENCE]", "[REFERENCE]\natom_style = charge", 1
    )
    on = text.replace("[BISPECTRUM]", "[BISPECTRUM]\nbikflag = 1")
    for name, content, expected in (
        ("on", on, ["BISPECTRUM.bikflag", "atom_style"]),
        ("off", text, ["atom_style"]),
    ):
        (tmp_path / f"{name}.in").write_text(content)
        lost = study_from_fitsnap(str(tmp_path / f"{name}.in"))["lost"]
        assert [line.split()[0] for line in lost] == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rcutfac = 1.0", "rcutfac = wide", "BISPECTRUM.rcutfac = 'wide'.*not a number"),
        ("wj = 1.0 0.929316", "wj = 1 2 3", "3 values for 2 types"),
        ("units = metal", "units = real", "units metal"),
        ("Bulk = 0.9 0.1 100.0 1.0 1e-8", "Bulk = 0.9 0.1 100.0", "GROUPS.Bulk.*3 values"),
        ("calculator = LAMMPSSNAP", "calculator = LAMMPSPACE", "LAMMPSPACE.*atomic cluster expansion"),
        ("solver = RIDGE", "solver = PYTORCH", "SOLVER.solver = 'PYTORCH'.*neural network"),
        ("[REFERENCE]", "[REFERENCE]\natom_style = spin", "REFERENCE.atom_style = 'spin'.*magnetic moments"),
        ("[REFERENCE]", "[SCRAPER]\nscraper = XZY\n[REFERENCE]", "SCRAPER.scraper = 'XZY'.*mean 'XYZ'"),
        ("bzeroflag = 1", "bzeroflag = perhaps", "neither true nor false"),
        ("[BISPECTRUM]", "[BISPECTRUM", "is not a FitSNAP input"),
        ("twojmax = 6 4", "twojmx = 8 8", "BISPECTRUM.twojmx = '8 8'.*no such setting[^'].*mean 'twojmax'"),
        ("quadraticflag = no", "switchfag = 0", "BISPECTRUM.switchfag = '0'.*\n.*mean 'switchflag'"),
        ("stress = 0", "stres = 0", "CALCULATOR.stres = '0'.*\n.*mean 'stress'"),
        ("solver = RIDGE", "solvr = RIDGE", "SOLVER.solvr = 'RIDGE'.*\n.*mean 'solver'"),
        ("[ESHIFT]", "[ESHFT]", "ESHFT: FitSNAP has no such section\n.*mean 'ESHIFT'"),
        ("smartweights = 1", "smartweight = 1", "GROUPS.smartweight = '1'.*\n.*smartweights"),
        ("twojmax = 6 4", "twojmax = 6.5", "BISPECTRUM.twojmax = '6.5'.*no whole number"),
        ("[BISPECTRUM]", "[ACE]", "no section BISPECTRUM"),
    ],
)
def test_bad_inputs_are_named(old, new, message, tmp_path):
    (tmp_path / "x.in").write_text(FITSNAP_INPUT.replace(old, new))
    with pytest.raises(InputError, match=f"(?s)x.in: .*{message}"):
        study_from_fitsnap(str(tmp_path / "x.in"))
    assert not (tmp_path / "x_train.xyz").exists()


def test_what_is_not_translated_is_told(tmp_path):
    text = FITSNAP_INPUT.replace("bzeroflag = 1", "bzeroflag = 1\nbikflag = 1\ndgradflag = 0")
    text = text.replace("force = 1", "force = 1\nper_atom_energy = 1").replace(
        "[ESHIFT]", "[ESHIFT]\nIn2 = 2"
    )
    text = text.replace("units = metal", "unit = real").replace(" eweight ", " ewight ")
    text = text.replace("0.9 0.1 100.0", "0.9 0.0 100.0")
    (tmp_path / "x.in").write_text(text + "[ARD]\nscap = 1e-6\n[OUTFILE]\nmetrics = m\n")
    study = study_from_fitsnap(str(tmp_path / "x.in"))
    notes = "\n".join(study["#"] + study["lost"])
    for words in (
        "BISPECTRUM.bikflag = 1 is not translated",
        "CALCULATOR.per_atom_energy = 1 is not translated",
        "ESHIFT.In2 = 2 has no effect in FitSNAP, nor here: did you mean 'In'?",
        "REFERENCE.unit = real has no effect in FitSNAP, nor here: did you mean 'units'?",
        "Column ewight of the groups is not translated: did you mean 'eweight'?",
        "Section ARD is not translated",
    ):
        assert words in notes
    for word in ("dgradflag", "OUTFILE", "metrics", "numTypes"):
        assert word not in notes


def test_every_name_that_fitsnap_knows_is_known():
    """The sections of the installed FitSNAP list their settings."""
    folder = importlib.util.find_spec("fitsnap3lib")
    if folder is None:
        pytest.skip("needs fitsnap3")
    sections = Path(folder.submodule_search_locations[0]) / "io" / "sections"
    files = {
        "BISPECTRUM": "calculator_sections/bispectrum.py",
        "CALCULATOR": "calculator_sections/calculator.py",
        "PATH": "path.py",
        "REFERENCE": "reference.py",
        "SCRAPER": "scraper.py",
        "SOLVER": "solver_sections/solver.py",
    }
    for section, file in files.items():
        listed = re.search(r"allowedkeys = (\[.*?\])", (sections / file).read_text(), re.DOTALL)
        allowed = set(ast.literal_eval(listed[1].replace("\\\n", "\n")))
        assert (TRANSLATED[section] | LEFT.get(section, set())) - {"BOLTZ"} == allowed, section


def test_data_of_an_earlier_translation_are_not_taken_for_others(tmp_path):
    data = small_data(6, 0, 0)
    infile = tmp_path / write_fitsnap(tmp_path, FitsnapOptions(vweight=0.0), data)
    train = tmp_path / study_from_fitsnap(str(infile))["data"]["train"]
    written = train.read_bytes()
    assert study_from_fitsnap(str(infile))["data"]["train"] == train.name  # the same data: nothing to do
    text = infile.read_text()
    (tmp_path / "JSON").rename(tmp_path / "else")
    moved = text.replace("dataPath = JSON", "dataPath = else")
    for changed in (text, text.replace("[PATH]\ndataPath = JSON", ""), moved.replace("= JSON", "= XYZ")):
        infile.write_text(changed)
        with pytest.raises(InputError, match=rf"PATH.dataPath: .*{train.name}, which may hold other data"):
            study_from_fitsnap(str(infile))
    text = moved
    infile.write_text(text)
    train.write_bytes(written[:-10])
    with pytest.raises(InputError, match=f"{train.name}: does not hold the 6 structures"):
        study_from_fitsnap(str(infile))
    assert train.read_bytes() == written[:-10]
    infile.write_text(text.replace("bulk =", "bullk ="))
    with pytest.raises(InputError, match=r"GROUPS.bullk: has no JSON files(?s:.*)mean 'bulk'"):
        study_from_fitsnap(str(infile))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        study_from_fitsnap(str(tmp_path / "absent.in"))


def test_boltzmann_import(tmp_path):
    data = small_data(6, 0, 0)
    options = FitsnapOptions(vweight=0.0)
    infile = write_fitsnap(tmp_path, options, data)
    text = (tmp_path / infile).read_text().replace("[GROUPS]", "[GROUPS]\nBOLTZ = 3000")
    (tmp_path / infile).write_text(text.replace(" 100.0 1.0 0.0", " -0.2 1.5 0.0"))
    found = study_from_fitsnap(str(tmp_path / infile))["fitter"]["snap"]
    lowest = min(f.energy / f.n_atoms for f in data.frames if f.group == "bulk")
    expected = np.exp((-0.2 - lowest) / (8.617333262e-5 * 3000))
    assert found["boltzmann_temperature"] == 3000
    assert found["eweight"]["bulk"] == pytest.approx(expected, rel=1e-6)
    assert found["fweight"]["bulk"] == pytest.approx(1.5 * expected, rel=1e-6)


def test_boltzmann_import_without_energies(tmp_path):
    infile = write_fitsnap(tmp_path, FitsnapOptions(vweight=0.0), small_data(6, 0, 0))
    text = (tmp_path / infile).read_text().replace("[GROUPS]", "[GROUPS]\nBOLTZ = 3000")
    (tmp_path / infile).write_text(text)
    with_energies = study_from_fitsnap(str(tmp_path / infile))["fitter"]["snap"]
    (tmp_path / infile).write_text(text.replace("energy = 1", "energy = 0"))
    found = study_from_fitsnap(str(tmp_path / infile))["fitter"]["snap"]
    assert found["eweight"] == 0.0
    assert found["fweight"] == with_energies["fweight"]
    (tmp_path / infile).write_text(text.replace(" eweight ", " weight "))
    with pytest.raises(InputError, match="no column eweight"):
        study_from_fitsnap(str(tmp_path / infile))


@pytest.mark.parametrize("group", [".", "..", "..."])
def test_groups_that_are_folders_already(group):
    names, _ = plan_of([replace(f, group=group) for f in small_data(9, 0, 0).frames])
    assert all(name.strip(".") for name in names)


@pytest.mark.parametrize(
    ("style", "lines", "expected"),
    [
        (
            "hybrid/overlay zero 10.0 zbl 1.6 1.9 zbl 2.1 2.6",
            ["* * zero", "1 1 zbl 1 15 15", "1 2 zbl 2 15 49", "2 2 zbl 2 49 49"],
            # types are P In
            ("zbl", {"In-In": 2.1, "In-P": 2.1, "P-P": 1.6}, {"In-In": 2.6, "In-P": 2.6, "P-P": 1.9}),
        ),
        (
            "hybrid/overlay zbl 1.6 1.9 zbl 1.6 2.6",
            ["1 1 zbl 1 15 15", "1 2 zbl 2 15 49", "2 2 zbl 2 49 49"],
            ("zbl", 1.6, {"In-In": 2.6, "In-P": 2.6, "P-P": 1.9}),
        ),
        # two styles on one pair are added: no radii say that
        (
            "hybrid/overlay zbl 1.6 1.9 zbl 2.1 2.6",
            ["1 1 zbl 1 15 15", "1 1 zbl 2 15 15", "1 2 zbl 2 15 49", "2 2 zbl 2 49 49"],
            ("lammps", None, None),
        ),
        # a pair without repulsion, wrong atomic numbers, a number that no style has
        (
            "hybrid/overlay zbl 1.6 1.9 zbl 2.1 2.6",
            ["1 1 zbl 1 15 15", "2 2 zbl 2 49 49"],
            ("lammps", None, None),
        ),
        (
            "hybrid/overlay zbl 1.6 1.9 zbl 2.1 2.6",
            ["1 1 zbl 1 15 15", "1 2 zbl 2 15 15", "2 2 zbl 2 49 49"],
            ("lammps", None, None),
        ),
        (
            "hybrid/overlay zbl 1.6 1.9 zbl 2.1 2.6",
            ["1 1 zbl 1 15 15", "1 2 zbl 3 15 49", "2 2 zbl 2 49 49"],
            ("lammps", None, None),
        ),
    ],
)
def test_import_of_several_zbl(style, lines, expected, tmp_path):
    head, _, rest = FITSNAP_INPUT.partition("[REFERENCE]")
    given = [f"pair_style = {style}", *(f"pair_coeff{i} = {line}" for i, line in enumerate(lines, 1))]
    tail = rest[rest.index("[GROUPS]") :]
    text = "\n".join([f"{head}[REFERENCE]", "units = metal", *given, tail])
    (tmp_path / "InP.in").write_text(text)
    study = study_from_fitsnap(str(tmp_path / "InP.in"))
    options = study["fitter"]["snap"]
    assert (options["reference"], options.get("zbl_inner"), options.get("zbl_outer")) == expected
    if expected[0] == "lammps":
        reference = fitsnap_settings(imported(study), ("In", "P")).reference
        assert (len(reference.styles), len(reference.coefficients)) == (1, len(lines))
