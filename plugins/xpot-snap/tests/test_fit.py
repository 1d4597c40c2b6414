"""From frames to files that LAMMPS runs."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from snap_cases import DATA, needs_data
from xpot_lammps_session.evaluator import PotentialEvaluator
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_lammps_session.session import LammpsSession
from xpot_lammps_session.testing import frames_from, small_data, training_data
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap_model.columns import ColumnLayout
from xpot_snap_model.files import write_potential
from xpot_snap_model.settings import DescriptorSettings

from xpot_core.api import FitRequest, Frame, error_table


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    folder = tmp_path_factory.mktemp("potential")
    settings = DescriptorSettings(("Si",), (4,), 3.7)
    beta = np.random.default_rng(1).normal(size=ColumnLayout.of(settings).size)
    return write_potential(folder, settings, ColumnLayout.of(settings).expand(beta), {"Si": -5.0})


def test_nothing_on_the_screen_and_no_files(tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom xpot_lammps_session.testing import small_data\n"
        "from xpot_core.api import FitRequest\nfrom xpot_snap.fitter import SnapFitter\n"
        "from xpot_snap.options import SnapOptions\n"
        "SnapFitter().fit(FitRequest(SnapOptions(twojmax=2), small_data(6, 0, 0), Path(sys.argv[1]), threads=2))\n"
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "cwd").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out")],
        cwd=tmp_path / "cwd",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""
    assert run.stderr == ""
    assert list((tmp_path / "cwd").iterdir()) == []
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "InP.mod",
        "InP.snapcoeff",
        "InP.snapparam",
    ]


def test_include_runs_in_plain_lammps(potential, tmp_path):
    """The include as a user has it: with the variable, from another folder."""
    with LammpsSession() as session:
        session.commands(
            [
                "units metal",
                "lattice diamond 5.43",
                "region box block 0 2 0 2 0 2",
                "create_box 1 box",
                "create_atoms 1 box",
                "mass 1 28.0855",
                f"variable potential_dir index {potential.directory}",
                f"include {potential.path('include')}",
            ]
        )
        session.run()
        energy = session.thermo("pe")
    from ase.build import bulk

    atoms = bulk("Si", "diamond", 5.43, cubic=True) * (2, 2, 2)
    with PotentialEvaluator(potential.path("include"), ["Si"]) as evaluator:
        assert energy / 64 == pytest.approx(evaluator.evaluate(atoms)[0] / 64, abs=1e-8)


def test_frames_without_some_targets(tmp_path):
    data = small_data(12, 0, 0)
    frames = tuple(
        Frame(
            f.atoms,
            None if i == 0 else f.energy,
            None if i == 1 else f.forces,
            None if i < 4 else f.virial,
            f.group,
            f.source,
            f.identity,
        )
        for i, f in enumerate(data.frames)
    )
    partial = type(data)(frames, data.folds, data.elements, data.groups)
    design = SnapFitter().prepare(FitRequest(SnapOptions(twojmax=2), partial, tmp_path))
    errors = design.errors(SnapOptions(twojmax=2)).train
    assert errors.total("energy").count == 11
    assert errors.total("force").count == 3 * 6 * 11
    assert errors.total("virial").count == 6 * sum(f.virial is not None for f in frames)


@pytest.mark.parametrize("kind", ["energy", "forces", "virial"])
def test_data_without_one_kind_of_target(kind, tmp_path):
    data = small_data(12, 2, 2)
    without = tuple(replace(f, **{kind: None}) for f in data.frames)
    options = SnapOptions(twojmax=2, vweight=0.1)
    design = SnapFitter().prepare(FitRequest(options, replace(data, frames=without), tmp_path))
    errors = design.errors(options, leave_out=1).validation
    quantity = {"energy": "energy", "forces": "force", "virial": "virial"}[kind]
    assert errors.total(quantity).count == 0
    assert design.fit(options, directory=tmp_path, final=True).path("include").is_file()


def test_leave_out_equals_a_fit_without_the_fold(tmp_path):
    data = small_data(18, 3, 3)
    options = SnapOptions(twojmax=3, vweight=0.1)
    staged = (
        SnapFitter()
        .prepare(FitRequest(options, data, tmp_path))
        .fit(options, directory=tmp_path, leave_out=1)
    )
    first = staged.path("coefficients").read_text()
    SnapFitter().fit(FitRequest(options, data.training(1), tmp_path))
    second = staged.path("coefficients").read_text()
    a, b = (np.array([float(x) for x in t.split() if x[-1].isdigit()][:40]) for t in (first, second))
    assert a == pytest.approx(b, rel=1e-5, abs=1e-8)


@needs_data
@pytest.mark.parametrize("quadratic", [False, True])
def test_silicon(quadratic, tmp_path):
    """Real data: exported files in LAMMPS give what the design says, on cells in any orientation."""
    train = frames_from(DATA / "zuo2020" / "Si_train.xyz", 8)
    test = frames_from(DATA / "zuo2020" / "Si_test.xyz", 3)
    options = SnapOptions(twojmax=4, quadratic=quadratic, rcutfac=4.8, vweight=0.01)
    data = training_data(train, 0, test)
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    errors = design.errors(options)
    potential = design.fit(options, directory=tmp_path)
    for frames, table in ((train, errors.train), (test, errors.validation)):
        expected = error_table(LammpsPredictor().predict(potential, frames, directory=tmp_path), frames)
        for quantity in ("energy", "force", "virial"):
            assert table.total(quantity).rmse == pytest.approx(expected.total(quantity).rmse, rel=1e-5)
    assert errors.validation.total("force").rmse < 0.4
    x = design.solution(options).coefficients
    predicted = LammpsPredictor().predict(potential, train, directory=tmp_path)
    energies = design.blocks.energy.rows[: len(train), 0, :-1] @ x
    n_atoms = np.array([f.n_atoms for f in train])
    assert np.abs(energies - predicted.energies / n_atoms).max() < 1e-8


def test_hooks_are_light():
    script = (
        "import sys, xpot_snap.hooks as h\nlist(h.xpot_register_fitters())\n"
        "print([m for m in ('lammps', 'scipy', 'ase', 'fitsnap3lib') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
