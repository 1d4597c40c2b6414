"""FitSNAP both ways: its matrix and ours, its engine, export and import.

The parity tests run FitSNAP through its own JSON scraper on files that we write in the user's frame,
so FitSNAP does its own rotation to LAMMPS' cell.
"""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from ase.io import read
from snap_cases import DATA, frames_from, needs_data, small_data, training_data
from xpot_snap import fitsnap_engine
from xpot_snap.descriptors import DescriptorEngine
from xpot_snap.export import export, write_fitsnap
from xpot_snap.fitsnap_import import study_from_fitsnap
from xpot_snap.fitsnap_input import fitsnap_settings, group_plan
from xpot_snap.fitter import SnapFitter
from xpot_snap.lammps_session import NKTV2P
from xpot_snap.options import SnapOptions
from xpot_snap.predictor import SnapPredictor
from xpot_snap.regression import Weights
from xpot_snap.translate import descriptor_settings, structures_of

from xpot_core.api import ExportRequest, FitError, FitRequest, Frame, InputError, TrainingData

needs_fitsnap = pytest.mark.skipif(
    importlib.util.find_spec("fitsnap3lib") is None or importlib.util.find_spec("pandas") is None,
    reason="FitSNAP is not installed: pip install 'xpot-snap[fitsnap]'",
)

RUN = """
import sys, numpy as np
from xpot_snap import fitsnap_shim
fitsnap_shim.install()
infile = sys.argv[1]
sys.argv = ["fitsnap"]
from fitsnap3lib.fitsnap import FitSnap
fs = FitSnap(infile, arglist=["--overwrite"])
fs.scrape_configs()
fs.process_configs()
fs.solver.perform_fit()
arrays = fs.pt.shared_arrays
np.savez("parity.npz", fit=np.ravel(fs.solver.fit), row_type=fs.pt.fitsnap_dict["Row_Type"],
         configs=fs.pt.fitsnap_dict["Configs"], **{k: arrays[k].array for k in "abw"})
"""


def run_fitsnap_command(folder, infile):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", RUN, infile], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return np.load(folder / "parity.npz")


def our_rows(options, data):
    """Rows in FitSNAP's scaling by file number: energy / N, forces, stress in bar."""
    settings = fitsnap_settings(descriptor_settings(options, data.elements))
    rows = {}
    with DescriptorEngine(settings) as engine:
        for i, structure in enumerate(structures_of(data, {})):
            r = engine.rows(structure)
            rows[f"{i:06d}.json"] = np.concatenate(
                [r.energy[None] / r.n_atoms, r.forces, r.virial * (NKTV2P / r.volume)]
            )
    return rows


CASES = {
    "Si-linear": ("zuo2020/Si", {"twojmax": 6, "rcutfac": 4.8}, 6),
    "Si-quadratic": ("zuo2020/Si", {"twojmax": 4, "rcutfac": 4.8, "quadratic": True}, 9),
    "Mo-linear-zbl": (
        "zuo2020/Mo",
        {"twojmax": 6, "rcutfac": 4.6, "reference": "zbl", "zbl_inner": 2.0, "zbl_outer": 2.9},
        12,
    ),
    "Mo-quadratic": ("zuo2020/Mo", {"twojmax": 4, "rcutfac": 4.6, "quadratic": True}, 12),
    "InP-linear": (
        "inp/InP",
        {
            "twojmax": 6,
            "rcutfac": 3.8,
            "wj": {"In": 1.0, "P": 0.93},
            "radelem": {"In": 0.5, "P": 0.45},
            "reference": "zbl",
        },
        30,
    ),
    "InP-quadratic": ("inp/InP", {"twojmax": 4, "rcutfac": 3.8, "quadratic": True}, 40),
    "InP-bzero": ("inp/InP", {"twojmax": 4, "rcutfac": 3.8, "constant": False}, 60),
    "InP-chem": ("inp/InP", {"twojmax": 2, "rcutfac": 3.8, "chem": True, "bnorm": True}, 60),
    "InP-inner": (
        "inp/InP",
        {"twojmax": 4, "rcutfac": 3.8, "sinner": {"In": 2.2, "P": 1.9}, "dinner": 0.3},
        60,
    ),
    "InP-twojmax": ("inp/InP", {"twojmax": {"In": 4, "P": 6}, "rcutfac": 3.8}, 60),
}


@needs_data
@needs_fitsnap
@pytest.mark.slow
@pytest.mark.parametrize("name", list(CASES))
def test_matrix_equals_fitsnap(name, tmp_path):
    stem, given, step = CASES[name]
    options = SnapOptions(**given, vweight=0.1)
    frames = frames_from(DATA / f"{stem}_train.xyz", step)
    data = training_data(frames)
    if stem.endswith("Si"):
        rotated = [abs(np.triu(np.array(f.atoms.cell), 1)).max() > 1e-6 for f in frames]
        assert 0 < sum(rotated) < len(rotated)
    infile = write_fitsnap(tmp_path, options, data)
    theirs = run_fitsnap_command(tmp_path, infile)
    ours = our_rows(options, data)
    a, b = theirs["a"], theirs["b"]
    from xpot_snap.columns import ColumnLayout

    settings = fitsnap_settings(descriptor_settings(options, data.elements))
    layout = ColumnLayout.of(settings)
    first = int(settings.constant)
    # FitSNAP keeps columns that are zero by choice (twojmax per element) or twins by symmetry (chem)
    kept = np.concatenate([np.append([True] * first, mask).astype(bool) for mask in layout.kept])
    for config in np.unique(theirs["configs"]):
        own = theirs["configs"] == config
        for kind in ("Energy", "Force", "Stress"):
            mask = own & (theirs["row_type"] == kind)
            rows = ours[str(config)]
            n = len(rows)
            part = {"Energy": rows[:1], "Force": rows[1 : n - 6], "Stress": rows[n - 6 :]}[kind]
            for mine, their, what in ((part[:, :-1], a[mask][:, kept], "A"), (part[:, -1], b[mask], "b")):
                # of scale: against the largest number of this kind of row in the whole matrix
                everything = (a[:, kept] if what == "A" else b)[theirs["row_type"] == kind]
                scale = np.abs(everything).max(axis=0)
                assert (np.abs(mine - their) <= 1e-10 * np.maximum(scale, 1e-300) + 1e-300).all(), (
                    kind,
                    what,
                )


@needs_data
@needs_fitsnap
@pytest.mark.slow
def test_fits_agree(tmp_path):
    """The whole way: weights, solution, errors; also the engine."""
    frames = frames_from(DATA / "inp" / "InP_train.xyz", 12)
    data = training_data(frames)
    options = SnapOptions(
        twojmax=4,
        rcutfac=3.8,
        reference="zbl",
        vweight=1e-3,
        eweight={g: 50.0 + 10 * i for i, g in enumerate(data.groups)},
    )
    theirs = run_fitsnap_command(tmp_path, write_fitsnap(tmp_path, options, data))
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    ours = design.fit(options, directory=tmp_path, final=True)
    engine = options.model_copy(update={"engine": "fitsnap"})
    by_engine = SnapFitter().fit(FitRequest(engine, data, tmp_path))
    predictor = SnapPredictor()
    one, two = (predictor.predict(p, frames, directory=tmp_path) for p in (ours, by_engine))
    n_atoms = np.array([f.n_atoms for f in frames])
    assert np.abs((one.energies - two.energies) / n_atoms).max() < 1e-6
    assert max(np.abs(a - b).max() for a, b in zip(one.forces, two.forces, strict=True)) < 1e-5
    # deviations per atom as FitSNAP itself has them
    energy = theirs["row_type"] == "Energy"
    deviation = (theirs["a"] @ theirs["fit"] - theirs["b"])[energy]
    numbers = [int(str(c).split(".")[0]) for c in theirs["configs"][energy]]
    reference = np.array([frames[i].energy for i in numbers])
    assert np.abs((one.energies[numbers] - reference) / n_atoms[numbers] - deviation).max() < 1e-6


@needs_fitsnap
@pytest.mark.slow
def test_engine_on_open_and_left_handed_cells(tmp_path):
    data = small_data(12, 2, 2)
    left = next(f for f in data.frames if f.group != "cluster")
    turned = left.atoms.copy()
    turned.set_cell(turned.cell[[1, 0, 2]])
    frames = (*data.frames, Frame(turned, left.energy, left.forces, left.virial, left.group, "left", "left"))
    data = TrainingData(frames, (*data.folds, -1), data.elements, data.groups)
    options = SnapOptions(twojmax=3, engine="fitsnap", vweight=0.01)
    ours = SnapFitter().prepare(FitRequest(options.model_copy(update={"engine": "lammps"}), data, tmp_path))
    theirs = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    a, b = ours.errors(options, leave_out=1), theirs.errors(options, leave_out=1)
    for quantity in ("energy", "force", "virial"):
        assert a.train.total(quantity).rmse == pytest.approx(b.train.total(quantity).rmse, rel=1e-4)
        assert a.validation.total(quantity).rmse == pytest.approx(b.validation.total(quantity).rmse, rel=1e-3)
    assert b.seconds["descriptors"] > 0


def test_engine_says_what_it_cannot_do(tmp_path, monkeypatch):
    data = small_data(3, 0, 0)
    design = SnapFitter().prepare(FitRequest(SnapOptions(engine="fitsnap"), data, tmp_path))
    with pytest.raises(InputError, match="ridge"):
        design.fit(SnapOptions(engine="fitsnap", ridge=1e-9), directory=tmp_path)
    with pytest.raises(InputError, match="constant"):
        fitsnap_settings(descriptor_settings(SnapOptions(constant=False, bzero=False), ("In", "P")))
    monkeypatch.setattr(fitsnap_engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"xpot-snap\[fitsnap\]"):
        design.fit(SnapOptions(engine="fitsnap"), directory=tmp_path)


def test_failing_fitsnap_leaves_its_log(tmp_path):
    with pytest.raises(FitError, match="exit status 1") as caught:
        fitsnap_engine.run_fitsnap({"sections": {}, "records": []}, tmp_path)
    assert "Traceback" in caught.value.log


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
    options = SnapOptions(**{"vweight": 0.1, "energy_shift": {"In": 0.0, "P": 0.0}, **given})
    infile = write_fitsnap(tmp_path, options, data)
    study = study_from_fitsnap(str(tmp_path / infile))
    back = SnapOptions(**study["fitter"]["snap"])
    want = fitsnap_settings(descriptor_settings(options, data.elements))
    assert descriptor_settings(back, data.elements) == want
    assert back.energy_shift == options.energy_shift
    frames = read(tmp_path / study["data"]["train"], ":")
    assert len(frames) == 9  # the evaluation-only frame stays at home
    names, table = group_plan(data.training().frames, _weights(options, data))
    again = _weights(back, _groups_as(frames))
    for frame in frames:
        group = frame.info["config_type"]
        assert again.of("energy", group) == pytest.approx(table[group].eweight)
        assert again.of("virial", group) == pytest.approx(table[group].vweight * 1e4)
    assert sorted(names) == sorted(a.info["config_type"] for a in frames)
    original = sorted(f.energy for f in data.training().frames)
    assert sorted(a.info["REF_energy"] for a in frames) == pytest.approx(original, rel=1e-7)
    first = next(f for f in data.frames if f.group == "bulk")
    same = next(a for a in frames if a.info["REF_energy"] == pytest.approx(first.energy, rel=1e-7))
    assert same.info["REF_virial"].reshape(3, 3) == pytest.approx(first.virial, rel=1e-6, abs=1e-7)


def _weights(options, data):
    from xpot_snap.translate import regression_weights

    return regression_weights(options, data.groups)


def _groups_as(frames):
    class Data:
        groups = tuple(sorted({a.info["config_type"] for a in frames}))

    return Data


def test_missing_targets_get_groups_of_their_own():
    data = small_data(3, 0, 0)
    one = dict.fromkeys(data.groups, 1.0)
    weights = Weights(one, one, one)
    f = data.frames[0]
    frames = [
        f,
        Frame(f.atoms, None, f.forces, f.virial, f.group),
        Frame(f.atoms, f.energy, None, None, f.group),
    ]
    names, table = group_plan(frames, weights)
    assert names == ["bulk", "bulk-no-energy", "bulk-no-forces-virial"]
    assert (table[names[1]].eweight, table[names[1]].fweight) == (0.0, 1.0)
    assert (table[names[2]].fweight, table[names[2]].vweight) == (0.0, 0.0)
    odd = [Frame(f.atoms, 1.0, f.forces, f.virial, g) for g in ("name", "a b", "a:b")]
    weights = Weights(
        {"name": 1.0, "a b": 2.0, "a:b": 3.0},
        dict.fromkeys(("name", "a b", "a:b"), 1.0),
        dict.fromkeys(("name", "a b", "a:b"), 1.0),
    )
    names, table = group_plan(odd, weights)
    assert names == ["name_", "a_b", "a_b_"]
    assert table["a_b_"].eweight == 3.0


def test_boltzmann_export_has_one_group_a_structure(tmp_path):
    data = small_data(6, 0, 0)
    infile = write_fitsnap(tmp_path, SnapOptions(boltzmann_temperature=1000.0, twojmax=2), data)
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
    assert SnapOptions(**options)
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
    notes = " ".join(study["#"])
    for word in ("RIDGE", "smartweights", "Testing sizes", "No JSON files"):
        assert word in notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rcutfac = 1.0", "rcutfac = wide", "BISPECTRUM.rcutfac = 'wide'.*not a number"),
        ("wj = 1.0 0.929316", "wj = 1 2 3", "3 values for 2 types"),
        ("units = metal", "units = real", "units metal"),
        ("Bulk = 0.9 0.1 100.0 1.0 1e-8", "Bulk = 0.9 0.1 100.0", "GROUPS.Bulk.*3 values"),
        ("calculator = LAMMPSSNAP", "calculator = LAMMPSPACE", "LAMMPSSNAP"),
        ("bzeroflag = 1", "bzeroflag = perhaps", "neither true nor false"),
        ("[BISPECTRUM]", "[BISPECTRUM", "is not a FitSNAP input"),
        ("[BISPECTRUM]", "[ACE]", "no section BISPECTRUM"),
    ],
)
def test_bad_inputs_are_named(old, new, message, tmp_path):
    (tmp_path / "x.in").write_text(FITSNAP_INPUT.replace(old, new))
    with pytest.raises(InputError, match=message):
        study_from_fitsnap(str(tmp_path / "x.in"))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        study_from_fitsnap(str(tmp_path / "absent.in"))


def test_boltzmann_import(tmp_path):
    data = small_data(6, 0, 0)
    options = SnapOptions(vweight=0.0)
    infile = write_fitsnap(tmp_path, options, data)
    text = (tmp_path / infile).read_text().replace("[GROUPS]", "[GROUPS]\nBOLTZ = 3000")
    (tmp_path / infile).write_text(text.replace(" 100.0 1.0 0.0", " -0.2 1.5 0.0"))
    found = study_from_fitsnap(str(tmp_path / infile))["fitter"]["snap"]
    lowest = min(f.energy / f.n_atoms for f in data.frames if f.group == "bulk")
    expected = np.exp((-0.2 - lowest) / (8.617333262e-5 * 3000))
    assert found["boltzmann_temperature"] == 3000
    assert found["eweight"]["bulk"] == pytest.approx(expected, rel=1e-6)
    assert found["fweight"]["bulk"] == pytest.approx(1.5 * expected, rel=1e-6)


def test_export_tool(tmp_path):
    data = small_data(9, 0, 0)
    options = SnapOptions(twojmax=2)
    potential = SnapFitter().fit(FitRequest(options, data, tmp_path))
    written = export(ExportRequest(potential, tmp_path, options, data))
    assert set(written) == {
        "in.lammps",
        "ase_calculator.py",
        "structure.data",
        "structure.xyz",
        "fitsnap/InP.in",
    }
    assert len(list((tmp_path / "fitsnap" / "JSON").rglob("*.json"))) == 9
    one = next((tmp_path / "fitsnap" / "JSON").rglob("*.json")).read_text()
    assert json.loads(one.partition("\n")[2])["Dataset"]["StressStyle"] == "bar"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "ase_calculator.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("energy ")
    from xpot_snap.lammps_session import LammpsSession

    lines = (tmp_path / "in.lammps").read_text()
    lines = lines.replace(
        "include InP.mod", f"variable potential_dir index {tmp_path}\ninclude {tmp_path}/InP.mod"
    )
    lines = lines.replace("read_data structure.data", f"read_data {tmp_path}/structure.data")
    with LammpsSession() as session:
        session.commands(line for line in lines.splitlines() if line.strip())
        assert np.isfinite(session.lmp.get_thermo("pe"))
    impossible = SnapOptions(twojmax=2, constant=False, bzero=False)
    assert "not written" in export(ExportRequest(potential, tmp_path, impossible, data))["fitsnap"]


def test_ase_calculator_stress(tmp_path):
    from ase.calculators.fd import calculate_numerical_stress
    from snap_cases import cells
    from xpot_snap.calculator import SnapCalculator

    data = small_data(9, 0, 0, elements=("P", "Si"))
    potential = SnapFitter().fit(FitRequest(SnapOptions(twojmax=2), data, tmp_path))
    atoms = cells()["rotated"]
    atoms.calc = SnapCalculator(potential.path("include"), potential.elements)
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, eps=1e-5), abs=1e-5)
