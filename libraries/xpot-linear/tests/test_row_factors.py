"""Sigmas, masks and weights of single frames: every solver gives the least squares of the rows weighted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from linear_cases import small_data
from xpot_linear import predict
from xpot_linear.blocks.block_set import GPA
from xpot_linear.blocks.cache import key_of
from xpot_linear.blocks.orientation import cell_rotation, voigt_turn
from xpot_pair.fitter import PairBasis, PairFitter
from xpot_pair.options import PairOptions

from xpot_core.api import FitRequest, TrainingData, error_table, voigt

OPTIONS = PairOptions(
    cutoff=5.0,
    order=4,
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
    parts = []
    basis = PairBasis(data.elements, OPTIONS.cutoff, OPTIONS.order)
    for frame in data.training(leave_out).frames:
        rows, w, n, g = basis.rows(frame), np.sqrt(frame.weight), frame.n_atoms, frame.group
        counts = [list(frame.atoms.symbols).count(e) for e in data.elements]
        factor = w * (1.0 if frame.energy_sigma is None else mean_e / frame.energy_sigma)
        energy = np.concatenate([counts, rows.energy, [frame.energy]])[None]
        parts.append(energy / n * OPTIONS.eweight[g] * factor)
        sigma = np.full((n, 3), mean_f) if frame.force_sigma is None else frame.force_sigma
        mask = np.ones(n, bool) if frame.force_mask is None else frame.force_mask
        forces = np.hstack([np.zeros((3 * n, 2)), rows.forces, frame.forces.reshape(-1, 1)])
        scaled = forces * (OPTIONS.fweight[g] * w * mean_f / sigma).reshape(-1, 1)
        parts.append(scaled[np.repeat(mask, 3)])
        if frame.virial is not None:
            cell = np.array(frame.atoms.cell)
            own = np.hstack([np.zeros((6, 2)), rows.virial, voigt(frame.virial)[:, None]])
            own *= GPA / frame.atoms.get_volume() * OPTIONS.vweight[g] * w
            if frame.virial_sigma is BY_COMPONENT:
                xx, xy, xz, yy, yz, zz = (mean_v / BY_COMPONENT)[np.triu_indices(3)]
                own *= np.array([xx, yy, zz, yz, xz, xy])[:, None]
            else:
                own = voigt_turn(cell_rotation(cell)) @ own
                own *= 1.0 if frame.virial_sigma is None else mean_v / frame.virial_sigma[0, 0]
            parts.append(own)
    return np.concatenate(parts)


def prepared(data: TrainingData, folder, **changes):
    options = OPTIONS.model_copy(update=changes)
    return PairFitter().prepare(FitRequest(options, data, folder)), options


@pytest.mark.parametrize("leave_out", [None, 0, 2])
@pytest.mark.parametrize(("solver", "memory"), [("gram", 0.0), ("qr", 0.5), ("qr", 0.0)])
def test_every_solver_gives_the_least_squares(data, tmp_path, leave_out, solver, memory):
    design, options = prepared(data, tmp_path, solver=solver, max_matrix_memory=memory)
    a = by_hand(data, leave_out)
    expected = a[:, :-1] @ np.linalg.lstsq(a[:, :-1], a[:, -1], rcond=1e-13)[0]
    found = design.solution(options, leave_out).coefficients
    assert (design.blocks.matrix is None) == (memory == 0.0)
    assert a[:, :-1] @ found == pytest.approx(expected, abs=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("leave_out", [None, 1])
def test_errors_leave_out_what_is_masked(data, tmp_path, leave_out):
    design, options = prepared(data, tmp_path)
    found = design.errors(options, leave_out=leave_out)
    model = design.model(design.solution(options, leave_out))
    for table, part in (
        (found.train, data.training(leave_out)),
        (found.validation, data.evaluation(leave_out)),
    ):
        real = error_table(predict(design.problem.basis, model, part.frames), part.frames)
        for quantity in ("energy", "energy_sqrt", "force", "virial"):
            for group in real.groups:
                got, want = table.total(quantity, [group]), real.total(quantity, [group])
                assert got.count == want.count
                assert got.rmse == pytest.approx(want.rmse, rel=1e-5, nan_ok=True)


def test_a_fit_to_some_folds_alone_is_that_of_the_design(data, tmp_path):
    whole = replace(data, sigma_means={"energy_sigma": 0.2, "force_sigma": 0.3, "virial_sigma": 0.9})
    design, options = prepared(whole, tmp_path, solver="qr")
    alone, _ = prepared(whole.training(1), tmp_path, solver="qr")
    one, two = (d.solution(options, leave_out).coefficients for d, leave_out in ((design, 1), (alone, None)))
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
        keys.add(key_of(design.problem, ""))
    assert len(keys) == 5
    first, options = prepared(data, tmp_path, cache=True)
    again, _ = prepared(data, tmp_path, cache=True)
    for solver in ("gram", "qr"):
        one, two = (d.solution(options, 1, solver).coefficients for d in (first, again))
        assert one == pytest.approx(two, rel=1e-9)
