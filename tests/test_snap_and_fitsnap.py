"""FitSNAP's matrix and fits against ours: what needs two plugins.

The parity tests run FitSNAP through its own JSON scraper on files that we write in the user's frame,
so FitSNAP does its own rotation to LAMMPS' cell.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xpot_core.api import (
    ExportRequest,
    FitRequest,
    Frame,
    InputError,
    NoOptions,
    ReportRequest,
    TrainingData,
    validate_options,
)
from xpot_core.plugins.registry import load_registry

pytest.importorskip("xpot_snap")
pytest.importorskip("xpot_fitsnap")
from xpot_fitsnap.fitter import FitsnapFitter
from xpot_fitsnap.importing.importer import FitsnapImporter
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.export import write_fitsnap
from xpot_fitsnap.writing.sections import fitsnap_settings
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_lammps_session.session import NKTV2P
from xpot_lammps_session.testing import frames_from, small_data, training_data
from xpot_linear.blocks.orientation import cell_rotation, voigt_turn
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.reduce import target_rows
from xpot_snap.basis import SnapBasis
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap_model.columns import ColumnLayout

DATA = Path(os.environ.get("XPOT_DATA") or Path(__file__).parents[2] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "zuo2020").is_dir(), reason="the reference data (XPOT_DATA) are not here"
)
needs_fitsnap = pytest.mark.skipif(
    importlib.util.find_spec("fitsnap3lib") is None or importlib.util.find_spec("pandas") is None,
    reason="FitSNAP is not installed: pip install 'xpot-fitsnap[fitsnap3]'",
)

RUN = """
import sys, numpy as np
from xpot_fitsnap.running import shim
shim.install()
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


def run_fitsnap_command(folder, infile, program=RUN):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", program, infile], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return np.load(folder / "parity.npz")


def our_rows(options, data):
    """Rows in FitSNAP's scaling and frame by file number: energy / N, forces, stress in bar."""
    basis = SnapBasis(fitsnap_settings(options, data.elements))
    rows = {}
    with closing(basis):
        constants = data.elements if basis.settings.constant else ()
        problem = Problem.of(basis, data, constants=constants)
        # theirs stand before the columns of each element
        ends = np.cumsum([0, *(mask.sum() for mask in basis.layout.kept)])
        order = np.insert(
            len(constants) + np.arange(basis.size), ends[: len(constants)], range(len(constants))
        )
        for i, frame in enumerate(data.frames):
            r, rotation = target_rows(problem, i), cell_rotation(np.array(frame.atoms.cell))
            forces = rotation.T @ r.forces.reshape(frame.n_atoms, 3, -1)
            virial = voigt_turn(rotation) @ r.virial * (NKTV2P / frame.atoms.get_volume())
            every = [r.energy[None] / frame.n_atoms, forces.reshape(3 * frame.n_atoms, -1), virial]
            rows[f"{i:06d}.json"] = np.concatenate(every)[:, [*order, -1]]
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
    "InP-zbl": (
        "inp/InP",
        {
            "twojmax": 2,
            "rcutfac": 3.8,
            "reference": "zbl",
            "zbl_inner": {"In-In": 2.5, "In-P": 2.0, "P-P": 2.2},
            "zbl_outer": {"In-In": 3.0, "In-P": 2.6, "P-P": 2.5},
        },
        10,
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
    options = FitsnapOptions(**given, vweight=0.1)
    frames = frames_from(DATA / f"{stem}_train.xyz", step)
    data = training_data(frames)
    if stem.endswith("Si"):
        rotated = [abs(np.triu(np.array(f.atoms.cell), 1)).max() > 1e-6 for f in frames]
        assert 0 < sum(rotated) < len(rotated)
    infile = write_fitsnap(tmp_path, options, data)
    theirs = run_fitsnap_command(tmp_path, infile)
    ours = our_rows(options, data)
    a, b = theirs["a"], theirs["b"]
    settings = fitsnap_settings(options, data.elements)
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
    """The whole way: weights, solution, errors; also the fitter."""
    frames = frames_from(DATA / "inp" / "InP_train.xyz", 12)
    data = training_data(frames)
    options = {
        "twojmax": 4,
        "rcutfac": 3.8,
        "reference": "zbl",
        "vweight": 1e-3,
        "eweight": {g: 50.0 + 10 * i for i, g in enumerate(data.groups)},
    }
    ours, theirs = SnapOptions(**options), FitsnapOptions(**options)
    matrix = run_fitsnap_command(tmp_path, write_fitsnap(tmp_path, theirs, data))
    by_snap = SnapFitter().prepare(FitRequest(ours, data, tmp_path)).fit(ours, directory=tmp_path, final=True)
    by_fitsnap = FitsnapFitter().fit(FitRequest(theirs, data, tmp_path))
    predictor = LammpsPredictor()
    one, two = (predictor.predict(p, frames, directory=tmp_path) for p in (by_snap, by_fitsnap))
    n_atoms = np.array([f.n_atoms for f in frames])
    assert np.abs((one.energies - two.energies) / n_atoms).max() < 1e-6
    assert max(np.abs(a - b).max() for a, b in zip(one.forces, two.forces, strict=True)) < 1e-5
    # deviations per atom as FitSNAP itself has them
    energy = matrix["row_type"] == "Energy"
    deviation = (matrix["a"] @ matrix["fit"] - matrix["b"])[energy]
    numbers = [int(str(c).split(".")[0]) for c in matrix["configs"][energy]]
    reference = np.array([frames[i].energy for i in numbers])
    assert np.abs((one.energies[numbers] - reference) / n_atoms[numbers] - deviation).max() < 1e-6


@needs_fitsnap
@pytest.mark.slow
@pytest.mark.parametrize("form", [{"constant": False}, {"bzero": False}, {"bzero": False, "quadratic": True}])
def test_absolute_ridge_is_that_of_fitsnap(form, tmp_path):
    """There and back: the export has FitSNAP's RIDGE, which finds our coefficients, and is imported as the same fit."""
    data = small_data(12, 0, 0)
    options = SnapOptions(
        twojmax=2, vweight=1e-3, eweight=20.0, absolute_ridge=3e-3, ridge=0.0, solver="qr", **form
    )
    request = FitRequest(options, data, tmp_path)
    fitted = SnapFitter().fit(request)
    written = load_registry().hook.xpot_export(
        fitter=load_registry().create_fitter("snap", options),
        request=ExportRequest(fitted, tmp_path, options, data),
    )
    assert any("fitsnap/InP.in" in answer for answer in written)
    folder = tmp_path / "fitsnap"
    matrix = run_fitsnap_command(folder, "InP.in")
    energies = LammpsPredictor().predict(fitted, data.frames, directory=tmp_path).energies
    energy = matrix["row_type"] == "Energy"
    numbers = [int(str(c).split(".")[0]) for c in matrix["configs"][energy]]
    n_atoms = np.array([f.n_atoms for f in data.frames])
    references = np.array([f.energy for f in data.frames])
    deviation = (matrix["a"] @ matrix["fit"] - matrix["b"])[energy]
    ours = ((energies - references) / n_atoms)[numbers]
    assert np.abs(ours - deviation).max() < 1e-8
    plain = np.linalg.lstsq(matrix["w"][:, None] * matrix["a"], matrix["w"] * matrix["b"])[0]
    assert np.abs(matrix["a"] @ (plain - matrix["fit"])).max() > 1e-4  # the ridge counts
    found = FitsnapImporter(NoOptions()).load(str(folder / "InP.in"))
    assert not found.lost
    back = validate_options(SnapOptions, found.study["fitter"]["snap"])
    assert (back.absolute_ridge, back.ridge, back.solver) == (3e-3, 0.0, "qr")


@needs_fitsnap
@pytest.mark.slow
def test_errors_are_counted_as_fitsnap_counts_them(tmp_path):
    """Its own file of errors by group, and ours beside: weighted or not, stress in LAMMPS' frame."""
    data = small_data(12, 0, 0)
    frames = tuple(f for f in data.frames if f.virial is not None and f.atoms.pbc.all())
    data = replace(
        data, frames=frames, folds=(0,) * len(frames), groups=tuple(sorted({f.group for f in frames}))
    )
    eweight = {group: 10.0 * (1 + i) for i, group in enumerate(data.groups)}
    options = SnapOptions(twojmax=2, vweight=1e-3, eweight=eweight, ridge=0.0, solver="qr")
    name = write_fitsnap(tmp_path / "theirs", FitsnapOptions.of(options), data)
    whole = RUN.replace("fs.solver.perform_fit()", "fs.perform_fit(); fs.write_output()")
    run_fitsnap_command(tmp_path / "theirs", name, whole)
    fitted = SnapFitter().fit(FitRequest(options, data, tmp_path))
    predictions = LammpsPredictor().predict(fitted, data.frames, directory=tmp_path)
    file = tmp_path / "theirs" / "InP_metrics.md"
    request = ReportRequest(file, "train", data.frames, predictions, options, data)
    found = load_registry().hook.xpot_reported_errors(request=request)
    assert len(found.rows) == 6 * (1 + len(data.groups))
    assert not found.other_structures
    for row in found.rows:
        assert (row.mae, row.rmse) == pytest.approx((row.reported_mae, row.reported_rmse), rel=2e-5), row


@needs_fitsnap
@pytest.mark.slow
def test_open_and_left_handed_cells(tmp_path):
    data = small_data(12, 2, 2)
    left = next(f for f in data.frames if f.group != "cluster")
    turned = left.atoms.copy()
    turned.set_cell(turned.cell[[1, 0, 2]])
    frames = (*data.frames, Frame(turned, left.energy, left.forces, left.virial, left.group, "left", "left"))
    data = TrainingData(frames, (*data.folds, -1), data.elements, data.groups)
    own, other = SnapOptions(twojmax=3, vweight=0.01), FitsnapOptions(twojmax=3, vweight=0.01)
    ours = SnapFitter().prepare(FitRequest(own, data, tmp_path))
    theirs = FitsnapFitter().prepare(FitRequest(other, data, tmp_path))
    a, b = ours.errors(own, leave_out=1), theirs.errors(other, leave_out=1)
    for quantity in ("energy", "force", "virial"):
        assert a.train.total(quantity).rmse == pytest.approx(b.train.total(quantity).rmse, rel=1e-4)
        assert a.validation.total(quantity).rmse == pytest.approx(b.validation.total(quantity).rmse, rel=1e-3)
    assert b.seconds["descriptors"] > 0


@needs_fitsnap
@pytest.mark.slow
def test_weights_of_structures(tmp_path):
    plain = small_data(n=12, external=0)
    frames = []
    for i, frame in enumerate(plain.frames):
        sigma = np.full((frame.n_atoms, 3), 0.1 + 0.1 * i)
        frames.append(replace(frame, energy_sigma=0.01 * (1 + i), force_sigma=sigma, weight=1.0 + i % 3))
    data = replace(plain, frames=tuple(frames))
    options = FitsnapOptions(twojmax=2, rcutfac=4.2, eweight=30.0)
    request = FitRequest(
        SnapOptions(**options.model_dump(), solver="qr", cache=False), data, tmp_path / "ours"
    )
    request.directory.mkdir()
    potentials = [SnapFitter().fit(request)]
    for name, one in (("theirs", data), ("plain", plain)):
        (tmp_path / name).mkdir()
        potentials.append(FitsnapFitter().fit(FitRequest(options, one, tmp_path / name)))
    predictor = LammpsPredictor()
    ours, theirs, unlabelled = (predictor.predict(p, plain.frames, directory=tmp_path) for p in potentials)
    assert theirs.energies == pytest.approx(ours.energies, abs=1e-5)
    assert np.abs(unlabelled.energies - ours.energies).max() > 1e-3


def test_every_snap_potential_is_exported_for_fitsnap(tmp_path):
    """By the hook, with all plugins: LAMMPS and ASE from one, FitSNAP from the other."""
    data = small_data(9, 0, 0)
    options = SnapOptions(twojmax=2, ridge=1e-9)
    registry = load_registry()
    snap = registry.create_fitter("snap", options)
    potential = snap.instance.fit(FitRequest(options, data, tmp_path))

    def written(options):
        answers = registry.hook.xpot_export(
            fitter=snap, request=ExportRequest(potential, tmp_path, options, data)
        )
        return {name: what for answer in answers for name, what in answer.items()}

    expected = {"in.lammps", "ase_calculator.py", "structure.data", "structure.xyz", "fitsnap/InP.in"}
    assert set(written(options)) == expected
    assert "relative ridge of 1e-09" in (tmp_path / "fitsnap" / "InP.in").read_text()
    assert len(list((tmp_path / "fitsnap" / "JSON").rglob("*.json"))) == 9
    one = next((tmp_path / "fitsnap" / "JSON").rglob("*.json")).read_text()
    assert json.loads(one.partition("\n")[2])["Dataset"]["StressStyle"] == "bar"
    impossible = SnapOptions(twojmax=2, constant=False, bzero=False)
    assert "not written" in written(impossible)["fitsnap"]


def test_the_old_way_to_choose_fitsnap_names_the_new_one():
    with pytest.raises(
        InputError, match=r"(?s)engine = 'fitsnap'.*fitter: \{fitsnap: ...\} \(pip install xpot-fitsnap\)"
    ):
        validate_options(SnapOptions, {"engine": "fitsnap"})
    assert validate_options(SnapOptions, {"engine": "lammps"}) == SnapOptions()
