"""Whole runs of gap_fit and predictions with quippy, on made structures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from gap_cases import make_data, make_options, make_request
from xpot_gap.fitter import GapFitter
from xpot_gap.gap_fit import xml
from xpot_gap.options import GapPredictorOptions
from xpot_gap.potential.predictor import GapPredictor

from xpot_core.api import EVALUATE_ONLY, Frame, InputError, TrainingData, error_table

pytest.importorskip("quippy")


def test_fit_and_predict(tmp_path: Path) -> None:
    data = make_data()
    potential = GapFitter().fit(make_request(data, tmp_path))
    assert potential.format == "gap-xml"
    assert potential.elements == ("Cu",)
    assert set(potential.sha256) == {"gap.xml"}
    predictions = GapPredictor().predict(potential, data.frames, directory=tmp_path, threads=3)
    alone = GapPredictor().predict(potential, data.frames, directory=tmp_path)
    assert np.array_equal(predictions.energies, alone.energies)
    assert all(np.array_equal(a, b) for a, b in zip(predictions.forces, alone.forces, strict=True))
    summary = error_table(predictions, data.frames).summary()
    assert summary["energy_rmse"] < 3
    assert summary["force_rmse"] < 0.1
    assert summary["virial_rmse"] < 60
    assert not list(tmp_path.glob("predict-*.npz"))


def test_equal_requests_give_equal_files(tmp_path: Path) -> None:
    sums = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sums.append(GapFitter().fit(make_request(make_data(), tmp_path / name)).sha256["gap.xml"])
    assert sums[0] == sums[1]


def test_variance_is_larger_far_from_the_data(tmp_path: Path) -> None:
    data = make_data()
    potential = GapFitter().fit(make_request(data, tmp_path))
    strange = data.frames[0].atoms.copy()
    strange.set_cell(strange.cell * 0.85, scale_atoms=True)
    frames = [data.frames[0], Frame(strange, None, None, None, "Elastic")]
    predictions = GapPredictor(GapPredictorOptions(variance=True)).predict(
        potential, frames, directory=tmp_path
    )
    assert predictions.energy_variance is not None
    assert predictions.energy_variance[1] > 10 * predictions.energy_variance[0] > 0


def test_two_elements_expand_and_fit(tmp_path: Path) -> None:
    data = make_data(8, elements=("Cu", "Al"))
    options = make_options(
        e0="average",
        descriptors=[
            {"distance_2b": {"cutoff": 4.0, "n_sparse": 8}},
            {"soap": {"cutoff": 3.5, "n_max": 3, "l_max": 2, "n_sparse": 10}},
        ],
    )
    potential = GapFitter().fit(make_request(data, tmp_path, options=options))
    assert potential.metadata["n_sparse"] == 3 * 8 + 2 * 10
    predictions = GapPredictor().predict(potential, data.frames, directory=tmp_path)
    assert error_table(predictions, data.frames).summary()["energy_rmse"] < 20


@pytest.mark.parametrize(
    "descriptor",
    [
        {"angle_3b": {"cutoff": 3.2, "n_sparse": 10}},
        {"soap_turbo": {"rcut_hard": 4.0, "alpha_max": 4, "l_max": 3, "n_sparse": 10}},
    ],
    ids=lambda d: next(iter(d)),
)
def test_other_descriptors(tmp_path: Path, descriptor: dict[str, object]) -> None:
    data = make_data(4, elements=("Cu", "Al"))
    options = make_options(e0="average", descriptors=[descriptor])
    potential = GapFitter().fit(make_request(data, tmp_path, options=options))
    predictions = GapPredictor().predict(potential, data.frames, directory=tmp_path)
    assert np.isfinite(predictions.energies).all()


def test_sigmas_of_groups_reach_gap_fit(tmp_path: Path) -> None:
    """The log names them (checked inside), and the tight group is fitted better."""
    data = make_data(8, groups=("a b:c", "default"))
    ratios = []
    for number, tight in enumerate(data.groups):
        sigma = {g: 0.0003 if g == tight else 0.3 for g in data.groups}
        force = {g: 0.003 if g == tight else 3.0 for g in data.groups}
        directory = tmp_path / str(number)
        directory.mkdir()
        options = make_options(sigma_energy=sigma, sigma_force=force, sigma_virial=force)
        potential = GapFitter().fit(make_request(data, directory, options=options))
        table = error_table(GapPredictor().predict(potential, data.frames, directory=directory), data.frames)
        first, second = (table.total("force", [g]).rmse for g in data.groups)
        ratios.append(first / second)
    assert ratios[0] < 0.7 * ratios[1]


def crystals(*lengths: float, group: str, repeat: int = 1) -> list[Frame]:
    """Perfect fcc cells with a nearest distance each; all atoms of a cell are alike."""
    made = []
    for length in lengths:
        atoms = bulk("Cu", cubic=True, a=length * 2**0.5).repeat((repeat, 1, 1))
        forces = np.zeros((len(atoms), 3))
        made.append(Frame(atoms, -3.0 * len(atoms) / length, forces, None, group, f"{length}", f"{length}"))
    return made


@pytest.mark.parametrize(("near", "far"), [(2, 4), (4, 2), (3, 0)])
@pytest.mark.parametrize("staged", [False, True], ids=["plain", "staged"])
@pytest.mark.parametrize("method", ["uniform", "random", "cur_points"])
def test_sparse_points_of_groups_reach_gap_fit(
    tmp_path: Path, near: int, far: int, staged: bool, method: str
) -> None:
    """A sparse point of distance_2b is a distance: it tells which group it was taken from."""
    frames = [
        *crystals(2.4, 2.45, 2.5, 2.55, 2.6, group="near by"),
        *crystals(2.9, 2.95, 3.0, 3.05, 3.1, group="far:off"),
    ]
    data = TrainingData(tuple(frames), (-1,) * 10, ("Cu",), ("far:off", "near by"))
    options = make_options(
        descriptors=[
            {
                "distance_2b": {
                    "cutoff": 3.3,
                    "n_sparse": {"near by": near, "far:off": far},
                    "sparse_method": method,
                }
            }
        ]
    )
    request = make_request(data, tmp_path, options=options)
    fitter = GapFitter()
    potential = fitter.prepare(request).fit(options, directory=tmp_path) if staged else fitter.fit(request)
    [points] = xml.sparse_points(potential.path("potential").read_text())
    distances = np.array(points.split(), dtype=float).reshape(-1, 2)[:, 1]
    assert ((distances < 2.7).sum(), (distances > 2.7).sum()) == (near, far)
    assert potential.metadata["n_sparse"] == near + far
    assert not any("sparse points" in note for note in potential.notes)


@pytest.mark.parametrize("staged", [False, True], ids=["plain", "staged"])
def test_group_with_fewer_environments_than_sparse_points(tmp_path: Path, staged: bool) -> None:
    """gap_fit counts equal environments once and takes fewer points, with a line in its log only."""
    frames = [*make_data(4, groups=("bulk",)).frames, *crystals(2.5, 2.6, group="perfect", repeat=2)]
    data = TrainingData(tuple(frames), (-1,) * 6, ("Cu",), ("bulk", "perfect"))
    found = {}
    for asked in (1, 2, 6, 16):
        n_sparse = {"bulk": 20, "perfect": asked}
        options = make_options(descriptors=[{"soap": {"n_max": 3, "l_max": 2, "n_sparse": n_sparse}}])
        directory = tmp_path / str(asked)
        directory.mkdir()
        request = make_request(data, directory, options=options)
        fitter = GapFitter()
        potential = (
            fitter.prepare(request).fit(options, directory=directory) if staged else fitter.fit(request)
        )
        found[asked] = potential.metadata["n_sparse"]
        notes = [note for note in potential.notes if "sparse points" in note]
        assert len(notes) == (asked > 2)
        if notes:
            assert f"soap of Cu 22 instead of {20 + asked}; a group has no more distinct" in notes[0]
    assert found == {1: 21, 2: 22, 6: 22, 16: 22}


def test_many_groups_go_with_the_frames(tmp_path: Path) -> None:
    """config_type_sigma holds about thirty groups; beyond, each frame carries its own sigma."""
    groups = tuple(f"a-long-name-of-a-group-{i:02d}" for i in range(40))
    data = make_data(40, groups=groups)
    options = make_options(
        descriptors=[{"distance_2b": {"n_sparse": 8}}],
        sigma_energy={g: 0.001 * (i + 1) for i, g in enumerate(groups)},
        engine="gap_fit",
    )
    GapFitter().fit(make_request(data, tmp_path, options=options))
    log = (tmp_path / "fit.log").read_text()
    assert "Number of per-configuration setting of energy_sigma found:     40" in log


def test_long_settings_go_through_a_file(tmp_path: Path) -> None:
    descriptors = [{"distance_2b": {"cutoff": 3.5 + 0.1 * i, "n_sparse": 3}} for i in range(8)]
    GapFitter().fit(
        make_request(make_data(4), tmp_path, options=make_options(descriptors=descriptors, engine="gap_fit"))
    )
    assert (tmp_path / "gap_fit.settings").is_file()


def test_virials_can_be_left_out(tmp_path: Path) -> None:
    potential = GapFitter().fit(
        make_request(make_data(4), tmp_path, options=make_options(virials=False, engine="gap_fit"))
    )
    assert potential.metadata["counts"]["virials"] == 0


def test_e0_from_isolated_atom(tmp_path: Path, single_atom: Frame) -> None:
    made = make_data(4, groups=("bulk",))
    frames = (*made.frames, single_atom)
    data = TrainingData(frames, (-1,) * 5, ("Cu",), ("bulk", "isolated_atom"))
    potential = GapFitter().fit(make_request(data, tmp_path, options=make_options(e0="isolated")))
    assert potential.metadata["e0"] == {"Cu": 0.25}
    assert 'Z="29" value="0.25"' in potential.path("potential").read_text()


def test_e0_average_is_that_of_gap_fit(tmp_path: Path) -> None:
    data = make_data(4)
    potential = GapFitter().fit(make_request(data, tmp_path, options=make_options(e0="auto")))
    expected = np.mean([f.energy / f.n_atoms for f in data.frames if f.energy is not None])
    assert potential.metadata["e0"]["Cu"] == pytest.approx(expected)
    assert any("average" in note for note in potential.notes)


def test_missing_isolated_atom_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no isolated atom of Cu"):
        GapFitter().fit(make_request(make_data(2), tmp_path, options=make_options(e0="isolated")))


def test_core_potential_is_subtracted_and_added_back(tmp_path: Path) -> None:
    core = tmp_path / "my core.xml"
    core.write_text(
        '<LJ_params n_types="1" label="core">\n<per_type_data type="1" atomic_num="29"/>\n'
        '<per_pair_data type1="1" type2="1" sigma="1.8" eps6="0.1" eps12="0.1" cutoff="3.5" '
        'energy_shift="F" linear_force_shift="F"/>\n</LJ_params>\n'
    )
    directory = tmp_path / "fit"
    directory.mkdir()
    data = make_data(8, folds=[0, 1] * 4)
    options = make_options(core_param_file=str(core), core_ip_args="IP LJ")
    request = make_request(data, directory, options=options)
    design = GapFitter().prepare(request)
    potential = design.fit(options, directory=directory, leave_out=1)
    held = data.evaluation(1)
    predicted = error_table(GapPredictor().predict(potential, held.frames, directory=directory), held.frames)
    staged = design.errors(options, leave_out=1).validation
    assert 'do_core="T"' in potential.path("potential").read_text()
    assert predicted.total("force").rmse == pytest.approx(staged.total("force").rmse, rel=1e-5)
    assert predicted.total("energy").rmse == pytest.approx(staged.total("energy").rmse, rel=1e-4)


def test_molecules_are_padded(tmp_path: Path) -> None:
    """Without periodicity nothing may depend on the cell, and there is no virial."""
    frames = []
    for number, distance in enumerate(np.linspace(2.2, 3.6, 8)):
        atoms = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, distance]])
        atoms.calc = LennardJones(sigma=2.2, epsilon=0.5, rc=3.9, smooth=True)
        energy, forces = float(atoms.get_potential_energy()), atoms.get_forces()
        atoms.calc = None
        frames.append(Frame(atoms, energy, forces, None, "dimer", f"dimer#{number}"))
    data = TrainingData(tuple(frames), (-1,) * 8, ("Cu",), ("dimer",))
    options = make_options(
        descriptors=[{"distance_2b": {"n_sparse": 6}}], sigma_energy=0.001, sigma_force=0.01
    )
    potential = GapFitter().fit(make_request(data, tmp_path, options=options))
    predictions = GapPredictor().predict(potential, frames, directory=tmp_path)
    assert error_table(predictions, frames).summary()["force_rmse"] < 0.2
    assert predictions.virials is not None
    assert np.isnan(predictions.virials).all()


def test_rewritten_coefficients_are_read_back() -> None:
    text = (
        '<GAP_params label="L">\n<sparseX i="1" alpha="1.5" sparseCutoff="1.0">\n<sparseX i="2" alpha="2."/>'
    )
    changed = xml.with_coefficients(text, np.array([0.1, -1e-30]))
    assert xml.coefficients(changed).tolist() == [0.1, -1e-30]


def test_evaluation_only_frames_change_nothing(tmp_path: Path) -> None:
    data = make_data(6, folds=[-1] * 4 + [EVALUATE_ONLY] * 2)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with_set = (
        GapFitter().prepare(make_request(data, tmp_path / "a")).fit(make_options(), directory=tmp_path / "a")
    )
    alone = GapFitter().prepare(make_request(data.training(), tmp_path / "b"))
    assert with_set.sha256 == alone.fit(make_options(), directory=tmp_path / "b").sha256
