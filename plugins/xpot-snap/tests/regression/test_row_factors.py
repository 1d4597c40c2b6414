"""Sigmas, masks and weights of single frames: every solver gives the least squares of the rows weighted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from snap_cases import small_data
from xpot_lammps_session.box import voigt_rotation
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_snap.descriptors.engine import DescriptorEngine
from xpot_snap.fitsnap.engine import FitsnapDesign
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap.regression import cache
from xpot_snap.regression.blocks import GPA
from xpot_snap.translate import regression_weights, structures_of
from xpot_snap_model.translate import descriptor_settings

from xpot_core.api import FitRequest, InputError, TrainingData, error_table

OPTIONS = SnapOptions(
    twojmax=4,
    rcutfac=4.2,
    eweight={"bulk": 30.0, "cluster": 5.0, "strained": 12.0},
    fweight={"bulk": 1.0, "cluster": 0.3, "strained": 2.0},
    vweight={"bulk": 0.2, "cluster": 0.0, "strained": 0.05},
    cache=False,
)
BY_COMPONENT = np.array([[0.5, 1.0, 2.0], [1.0, 3.0, 1.5], [2.0, 1.5, 0.7]])


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """Frames of which some have labels of every form, also those that are only evaluated."""
    plain = small_data()
    rng = np.random.default_rng(3)
    frames = list(plain.frames)
    for i, frame in enumerate(frames):
        new = {}
        n = frame.n_atoms
        if i % 2:
            new["energy_sigma"] = float(rng.uniform(0.01, 1.0))
        if i % 4 == 1:
            new["force_sigma"] = np.full((n, 3), rng.uniform(0.01, 1.0))
        if i % 4 == 2:
            new["force_sigma"] = np.repeat(rng.uniform(0.01, 1.0, (n, 1)), 3, axis=1)
        if i % 4 == 3:
            new["force_sigma"] = rng.uniform(0.01, 1.0, (n, 3))
        if i % 3 == 2:
            new["virial_sigma"] = np.full((3, 3), 0.3) if i % 2 else BY_COMPONENT
        if i % 5 == 0:
            new["force_mask"] = rng.random(n) < 0.6
        if i % 7 == 0:
            new["weight"] = float(rng.uniform(0.2, 5.0))
        frames[i] = replace(frame, **new)
    frames[4] = replace(frames[4], force_mask=np.zeros(frames[4].n_atoms, dtype=bool))
    return replace(plain, frames=tuple(frames))


def by_hand(data: TrainingData, leave_out: int | None) -> np.ndarray:
    """All weighted training rows: the independent reference."""
    trained = [f for f, fold in zip(data.frames, data.folds, strict=True) if fold != -2]
    mean_e = np.exp(np.mean([np.log(f.energy_sigma) for f in trained if f.energy_sigma]))
    counted = [f for f in trained if f.force_sigma is not None]
    masks = [np.ones(f.n_atoms, bool) if f.force_mask is None else f.force_mask for f in counted]
    mean_f = np.exp(
        np.mean(np.concatenate([np.log(f.force_sigma[m]) for f, m in zip(counted, masks, strict=True)]))
    )
    virials = [f.virial_sigma for f in trained if f.virial_sigma is not None and f.virial is not None]
    mean_v = np.exp(np.mean(np.log(virials)))
    weights = regression_weights(OPTIONS, data.groups)
    parts = []
    with DescriptorEngine(descriptor_settings(OPTIONS, data.elements)) as engine:
        for structure, fold, frame in zip(structures_of(data, {}), data.folds, data.frames, strict=True):
            if fold in (leave_out, -2):
                continue
            rows, w = engine.rows(structure), np.sqrt(frame.weight)
            factor = w * (1.0 if frame.energy_sigma is None else mean_e / frame.energy_sigma)
            parts.append(rows.energy[None] / rows.n_atoms * weights.of("energy", frame.group) * factor)
            turned = np.einsum("ba,nak->nbk", rows.rotation, rows.forces.reshape(frame.n_atoms, 3, -1))
            sigma = np.full((frame.n_atoms, 3), mean_f) if frame.force_sigma is None else frame.force_sigma
            scaled = turned * (weights.of("force", frame.group) * w * mean_f / sigma)[:, :, None]
            parts += list(scaled if frame.force_mask is None else scaled[frame.force_mask])
            if frame.virial is not None:
                own = rows.virial * GPA / rows.volume * weights.of("virial", frame.group) * w
                if frame.virial_sigma is BY_COMPONENT:
                    xx, xy, xz, yy, yz, zz = (mean_v / BY_COMPONENT)[np.triu_indices(3)]
                    own = voigt_rotation(rows.rotation) @ own * np.array([xx, yy, zz, yz, xz, xy])[:, None]
                elif frame.virial_sigma is not None:
                    own = own * mean_v / frame.virial_sigma[0, 0]
                parts.append(own)
    return np.concatenate(parts)


def prepared(data: TrainingData, folder, **changes):
    options = OPTIONS.model_copy(update=changes)
    return SnapFitter().prepare(FitRequest(options, data, folder)), options


@pytest.mark.parametrize("leave_out", [None, 0, 2])
@pytest.mark.parametrize(("solver", "memory"), [("gram", 0.0), ("qr", 0.5), ("qr", 0.0)])
def test_every_solver_gives_the_least_squares(data, tmp_path, leave_out, solver, memory):
    design, options = prepared(data, tmp_path, solver=solver, max_matrix_memory=memory)
    a = by_hand(data, leave_out)
    expected = a[:, :-1] @ np.linalg.lstsq(a[:, :-1], a[:, -1], rcond=1e-13)[0]
    weights = regression_weights(options, data.groups)
    found = design.solution(weights, leave_out, solver).coefficients
    assert (design.blocks.matrix is None) == (memory == 0.0)
    assert a[:, :-1] @ found == pytest.approx(expected, abs=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("leave_out", [None, 1])
def test_errors_leave_out_what_is_masked(data, tmp_path, leave_out):
    design, options = prepared(data, tmp_path)
    found = design.errors(options, leave_out=leave_out)
    potential = design.fit(options, directory=tmp_path, leave_out=leave_out)
    for table, part in (
        (found.train, data.training(leave_out)),
        (found.validation, data.evaluation(leave_out)),
    ):
        real = error_table(LammpsPredictor().predict(potential, part.frames, directory=tmp_path), part.frames)
        for quantity in ("energy", "energy_sqrt", "force", "virial"):
            for group in real.groups:
                got, want = table.total(quantity, [group]), real.total(quantity, [group])
                assert got.count == want.count
                assert got.rmse == pytest.approx(want.rmse, rel=1e-5, nan_ok=True)


def test_a_fit_to_some_folds_alone_is_that_of_the_design(data, tmp_path):
    whole = replace(data, sigma_means={"energy_sigma": 0.2, "force_sigma": 0.3, "virial_sigma": 0.9})
    design, options = prepared(whole, tmp_path, solver="qr")
    weights = regression_weights(options, data.groups)
    alone, _ = prepared(whole.training(1), tmp_path, solver="qr")
    one, two = (
        d.solution(weights, leave_out, "qr").coefficients for d, leave_out in ((design, 1), (alone, None))
    )
    a = by_hand(data, 1)[:, :-1]
    assert a @ one == pytest.approx(a @ two, rel=1e-6, abs=1e-6)


def test_gradient_through_factors(data, tmp_path):
    design, options = prepared(data, tmp_path, ridge=1e-8)

    def squares(table):
        return {"force": dict.fromkeys(data.groups, 1.0), "energy_sqrt": dict.fromkeys(data.groups, 3.0)}

    def value(**changes):
        table = design.errors(options.model_copy(update=changes), leave_out=1).validation
        return table.total("force").square + 3 * table.total("energy_sqrt").square

    _, slopes = design.error_gradient(options, ["fweight.bulk", "eweight.strained"], squares, leave_out=1)
    step = 1e-4
    for name, group in (("fweight", "bulk"), ("eweight", "strained")):
        table = getattr(options, name)
        up, down = ({**table, group: table[group] * np.exp(s)} for s in (step, -step))
        difference = (value(**{name: up}) - value(**{name: down})) / (2 * step)
        assert slopes[f"{name}.{group}"] == pytest.approx(difference, rel=1e-3)


def test_descriptors_on_disk_know_the_labels(data, tmp_path, monkeypatch):
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "cache"))
    keys = set()
    one = data.frames[1]
    others = [
        {"energy_sigma": 0.5},
        {"force_sigma": np.full((one.n_atoms, 3), 0.5)},
        {"force_mask": np.arange(one.n_atoms) > 0},
        {"weight": 2.0},
    ]
    for changes in ({}, *others):
        frames = (data.frames[0], replace(one, **changes), *data.frames[2:])
        design, _ = prepared(replace(data, frames=frames), tmp_path)
        keys.add(cache.key_of(design.problem))
    assert len(keys) == 5
    first, options = prepared(data, tmp_path, cache=True)
    again, _ = prepared(data, tmp_path, cache=True)
    weights = regression_weights(options, data.groups)
    for solver in ("gram", "qr"):
        one, two = (d.solution(weights, 1, solver).coefficients for d in (first, again))
        assert one == pytest.approx(two, rel=1e-9)


def test_the_engine_fitsnap_refuses_what_it_cannot_weigh(data, tmp_path):
    options = OPTIONS.model_copy(update={"engine": "fitsnap"})
    with pytest.raises(InputError, match="FitSNAP cannot weigh the forces of one structure differently"):
        FitsnapDesign(data, tmp_path).fit(options, directory=tmp_path)


@pytest.mark.slow
def test_the_engine_fitsnap_weighs_structures(tmp_path):
    plain = small_data(n=12, external=0)
    frames = []
    for i, frame in enumerate(plain.frames):
        sigma = np.full((frame.n_atoms, 3), 0.1 + 0.1 * i)
        frames.append(replace(frame, energy_sigma=0.01 * (1 + i), force_sigma=sigma, weight=1.0 + i % 3))
    data = replace(plain, frames=tuple(frames))
    options = OPTIONS.model_copy(update={"engine": "fitsnap", "vweight": 0.0, "twojmax": 2})
    request = FitRequest(
        options.model_copy(update={"engine": "lammps", "solver": "qr"}), data, tmp_path / "ours"
    )
    request.directory.mkdir()
    potentials = [SnapFitter().fit(request)]
    for name, one in (("theirs", data), ("plain", plain)):
        (tmp_path / name).mkdir()
        potentials.append(FitsnapDesign(one, tmp_path / name).fit(options, directory=tmp_path / name))
    predictor = LammpsPredictor()
    ours, theirs, unlabelled = (predictor.predict(p, plain.frames, directory=tmp_path) for p in potentials)
    assert theirs.energies == pytest.approx(ours.energies, abs=1e-5)
    assert np.abs(unlabelled.energies - ours.energies).max() > 1e-3
