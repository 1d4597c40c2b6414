"""Sigmas, masks and weights of single frames count as they do in gap_fit, in one run and in stages."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from gap_cases import make_data, make_options, make_request, study_from_command
from xpot_gap.fitter import GapFitter
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.hooks import xpot_register_fitters
from xpot_gap.potential.predictor import GapPredictor

from xpot_core.api import FittedPotential, FloatArray, Frame, TrainingData
from xpot_core.study_file.read import study_from_dict
from xpot_core.trial.final_model import final_model
from xpot_core.trial.runner import TrialRunner

pytest.importorskip("quippy")

FOLDS = [0, 1, 2] * 2 + [-2, -2]
CHANGED = {"sigma_energy": 0.002, "sigma_force": 0.2, "sigma_virial": 0.3}


def labelled(frame: Frame, number: int) -> Frame:
    """Every kind of label in turn, and frames without any."""
    rng = np.random.default_rng(number)
    kinds: list[dict[str, object]] = [
        {},
        {"energy_sigma": 2.0, "force_sigma": np.full((8, 3), 0.01), "virial_sigma": np.full((3, 3), 5.0)},
        {"force_sigma": rng.uniform(0.01, 1.0, (8, 3)), "virial_sigma": rng.uniform(0.1, 9.0, (3, 3))},
        {"force_mask": np.arange(8) % 3 > 0, "force_sigma": rng.uniform(0.01, 1.0, (8, 3))},
        {"weight": 25.0, "energy_sigma": 0.5},
        {"force_mask": np.zeros(8, dtype=bool), "weight": 0.01},
    ]
    return replace(frame, **kinds[number % len(kinds)])


@pytest.fixture(scope="module")
def data() -> TrainingData:
    plain = make_data(8, folds=FOLDS)
    return replace(plain, frames=tuple(labelled(f, i) for i, f in enumerate(plain.frames)))


def energies(potential: FittedPotential, data: TrainingData, folder: Path) -> FloatArray:
    return GapPredictor().predict(potential, data.frames, directory=folder).energies


def by_gap_fit_alone(data: TrainingData, folder: Path, command: list[str]) -> FloatArray:
    """Written with ASE and fitted by gap_fit, without any code of the plugin between them."""
    images = []
    for frame in data.training().frames:
        atoms = Atoms(frame.atoms)
        root, factor = frame.n_atoms**0.5, frame.weight**-0.5
        sigmas = {
            "energy_sigma": CHANGED["sigma_energy"] * root
            if frame.energy_sigma is None
            else frame.energy_sigma,
            "virial_component_sigma": np.full((3, 3), CHANGED["sigma_virial"] * root)
            if frame.virial_sigma is None
            else frame.virial_sigma,
        }
        atoms.info = {k: np.ravel(v * factor) if np.ndim(v) else v * factor for k, v in sigmas.items()}
        atoms.info |= {"energy": frame.energy, "virial": np.ravel(frame.virial), "config_type": frame.group}
        force_sigma = (
            np.full((8, 3), CHANGED["sigma_force"]) if frame.force_sigma is None else frame.force_sigma
        )
        atoms.arrays["force_component_sigma"] = force_sigma * factor
        atoms.arrays["force"] = np.array(frame.forces)
        if frame.force_mask is not None:
            atoms.arrays["force_mask"] = ~frame.force_mask
        images.append(atoms)
    folder.mkdir()
    write(folder / "train.xyz", images, format="extxyz")
    ran = subprocess.run(
        [gap_fit_program(), *command[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-2000:]
    potential = FittedPotential.from_files("gap-xml", folder, {"potential": "gap.xml"}, ("Cu",))
    return energies(potential, data, folder)


@pytest.mark.slow
def test_whole_staged_and_gap_fit_alone_are_equal(data: TrainingData, tmp_path: Path) -> None:
    """The staged fit is prepared at other sigmas, so that the options count where frames say nothing."""
    for name in ("prepared", "staged", "whole"):
        (tmp_path / name).mkdir()
    by_gap_fit = {"sparse_selection": "gap_fit"}
    prepared = make_request(data, tmp_path / "prepared", options=make_options(**by_gap_fit))
    options = make_options(**CHANGED, **by_gap_fit)
    staged = energies(
        GapFitter().prepare(prepared).fit(options, directory=tmp_path / "staged"), data, tmp_path
    )
    options = make_options(**CHANGED, engine="gap_fit")
    whole = GapFitter().fit(make_request(data.training(), tmp_path / "whole", options=options))
    assert np.abs(staged - energies(whole, data, tmp_path)).max() < 1e-6
    assert np.abs(staged - by_gap_fit_alone(data, tmp_path / "alone", whole.metadata["command"])).max() < 1e-6
    plain = replace(data, frames=make_data(8).frames)
    (tmp_path / "plain").mkdir()
    other = GapFitter().fit(make_request(plain.training(), tmp_path / "plain", options=options))
    assert np.abs(staged - energies(other, data, tmp_path)).max() > 1e-3


def test_scans_go_by_the_same_rows(data: TrainingData, tmp_path: Path) -> None:
    """Sums and rows give the same errors; masked forces are in none of them; gradients are right."""
    design = GapFitter().prepare(make_request(data, tmp_path))
    options = make_options(**CHANGED)
    by_sums = design.errors(options, leave_out=1)
    design._gram_bytes = 0
    by_rows = design.errors(options, leave_out=1)
    design._gram_bytes = 1e9
    for ours, theirs in ((by_sums.train, by_rows.train), (by_sums.validation, by_rows.validation)):
        assert ours.total("force").rmse == pytest.approx(theirs.total("force").rmse, rel=1e-6)
        assert ours.total("energy").rmse == pytest.approx(theirs.total("energy").rmse, rel=1e-5)
    left_out = data.evaluation(1).frames
    counted = [f.counted.size for f in left_out if f.counted is not None]
    assert by_sums.validation.total("force").count == sum(counted) < sum(3 * f.n_atoms for f in left_out) + 1

    def loss(errors: object) -> dict[str, dict[str, float]]:
        return {"energy": dict.fromkeys(data.groups, 1.0)}

    def value(sigma: float) -> float:
        table = design.errors(make_options(**CHANGED | {"sigma_energy": sigma}), leave_out=1).validation
        return sum(table.total("energy", [g]).square for g in table.groups)

    _, gradient = design.error_gradient(options, ["sigma_energy"], loss, leave_out=1)
    step = 1e-3
    middle = CHANGED["sigma_energy"]
    numeric = (value(middle * np.exp(step)) - value(middle * np.exp(-step))) / (2 * step)
    assert gradient["sigma_energy"] == pytest.approx(numeric, rel=1e-3)


def test_the_fitter_says_which_labels_it_uses() -> None:
    provider = next(iter(xpot_register_fitters()))
    assert set(provider.frame_labels) == {
        "energy_sigma",
        "force_sigma",
        "virial_sigma",
        "force_mask",
        "weight",
    }


SOAP = (
    "gap={distance_2b cutoff=4.0 covariance_type=ard_se delta=0.5 theta_uniform=1.0 n_sparse=8 "
    "sparse_method=uniform} default_sigma={0.01 0.1 0.05 0} e0={Cu:0.0} rnd_seed=1 gp_file=g.xml"
)


@pytest.mark.slow
def test_imported_command_reads_sigmas_and_stress_as_gap_fit(tmp_path: Path) -> None:
    """A prefix and a name of its own for the sigmas; stress where a frame has no virial."""
    images = []
    for i, frame in enumerate(make_data(6).frames):
        atoms = Atoms(frame.atoms)
        volume = atoms.get_volume()
        atoms.info = {
            "x_energy": frame.energy,
            "energy_x_err": 0.01 * 10**i,
            "x_stress": np.ravel(-frame.virial / volume),
        }
        if i == 0:
            atoms.info = atoms.info | {"x_virial": np.ravel(2 * frame.virial)}
        atoms.arrays["force_component_x_err"] = np.full((8, 3), 0.02)
        atoms.arrays["x_force"] = np.array(frame.forces)
        atoms.arrays["x_left"] = np.arange(8) == i
        images.append(atoms)
    write(tmp_path / "train.xyz", images, format="extxyz")
    command = (
        f"gap_fit at_file={tmp_path / 'train.xyz'} {SOAP} parameter_name_prefix=x_ sigma_parameter_name=err "
        "force_mask_parameter_name=left"
    )
    study = study_from_command(command)
    assert study["data"]["keys"] == {
        "energy": "x_energy",
        "forces": "x_force",
        "virial": "x_virial",
        "stress": "x_stress",
        "energy_sigma": "energy_x_err",
        "force_sigma": "force_x_err",
        "virial_sigma": None,
        "force_mask": "x_left",
    }
    runner = TrialRunner(study_from_dict({k: v for k, v in study.items() if k != "#"}, str(tmp_path)))
    ours = final_model(runner, {}, tmp_path / "ours", seed=study["seed"]).potential
    ran = subprocess.run(
        [
            gap_fit_program(),
            *shlex.split(
                command.replace("gap={", "'gap={")
                .replace("uniform}", "uniform}'")
                .replace("={0.01", "='{0.01")
                .replace("0.05 0}", "0.05 0}'")
            )[1:],
            "sparse_separate_file=F",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert re.search(r"target virials .*found: 36", ran.stdout)
    assert re.search(r"target forces .*found: 126", ran.stdout)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "g.xml").rename(tmp_path / "theirs" / "gap.xml")
    theirs = FittedPotential.from_files("gap-xml", tmp_path / "theirs", {"potential": "gap.xml"}, ("Cu",))
    data = make_data(6)
    assert np.abs(energies(ours, data, tmp_path) - energies(theirs, data, tmp_path)).max() < 1e-6
