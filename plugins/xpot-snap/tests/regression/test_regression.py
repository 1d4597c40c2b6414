"""Blocks, solvers, errors and gradients against plain numpy on the whole matrix."""

import numpy as np
import pytest
import scipy.linalg
from snap_cases import GROUPS, small_data
from xpot_lammps_session.predictor import LammpsPredictor
from xpot_snap.descriptors.engine import DescriptorEngine
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap.regression.blocks import GPA, gram_of, pack, unpack
from xpot_snap.regression.build import Problem
from xpot_snap.regression.reduce import make_tasks
from xpot_snap.regression.regression import Regression, Weights
from xpot_snap.regression.solve import solve_gram, solve_rows
from xpot_snap.translate import regression_weights, structures_of
from xpot_snap_model.translate import descriptor_settings

from xpot_core.api import FitError, FitRequest, error_table

OPTIONS = SnapOptions(
    twojmax=4,
    rcutfac=4.2,
    eweight={"bulk": 30.0, "cluster": 5.0, "strained": 12.0},
    fweight={"bulk": 1.0, "cluster": 0.3, "strained": 2.0},
    vweight={"bulk": 0.2, "cluster": 0.0, "strained": 0.05},
)


@pytest.fixture(scope="module")
def data():
    return small_data()


@pytest.fixture(scope="module")
def blocks(data):
    settings = descriptor_settings(OPTIONS, data.elements)
    return problem_of(settings, data).blocks(max_matrix_memory=1e9)


def problem_of(settings, data):
    return Problem.of(settings, structures_of(data, {}), data.folds, [f.group for f in data.frames])


def weighted_matrix(data, options, leave_out=None):
    """All weighted training rows from the descriptor engine itself: the independent reference."""
    weights = regression_weights(options, data.groups)
    parts = []
    with DescriptorEngine(descriptor_settings(options, data.elements)) as engine:
        for structure, fold, frame in zip(structures_of(data, {}), data.folds, data.frames, strict=True):
            if fold in (leave_out, -2):
                continue
            rows = engine.rows(structure)
            parts.append(rows.energy[None] / rows.n_atoms * weights.of("energy", frame.group))
            parts.append(rows.forces * weights.of("force", frame.group))
            if frame.virial is not None:
                parts.append(rows.virial * GPA / rows.volume * weights.of("virial", frame.group))
    return np.concatenate(parts)


def rmses(table):
    return [table.total(q).rmse for q in ("energy", "energy_sqrt", "force", "virial")]


@pytest.mark.parametrize("leave_out", [None, 0, 2])
def test_gram_equals_least_squares(data, blocks, leave_out):
    a = weighted_matrix(data, OPTIONS, leave_out)
    expected = np.linalg.lstsq(a[:, :-1], a[:, -1], rcond=None)[0]
    regression = Regression(blocks)
    weights = regression_weights(OPTIONS, data.groups)
    gram = regression.solve(weights, leave_out)
    exact = regression.solve_exact(weights, leave_out)
    assert gram.method == "cholesky"
    assert exact.method == "qr"
    best = np.linalg.norm(a[:, :-1] @ expected - a[:, -1])
    for solution in (gram, exact):
        assert np.linalg.norm(a[:, :-1] @ solution.coefficients - a[:, -1]) == pytest.approx(best, rel=1e-9)
    for ours, theirs in zip(
        regression.errors(gram.coefficients, leave_out), regression.errors(expected, leave_out), strict=True
    ):
        assert rmses(ours) == pytest.approx(rmses(theirs), rel=1e-6, nan_ok=True)
    assert exact.condition == pytest.approx(gram.condition, rel=5)


@pytest.mark.parametrize("leave_out", [None, 1])
def test_errors_equal_lammps_predictions(data, leave_out, tmp_path):
    options = OPTIONS.model_copy(update={"reference": "zbl", "zbl_inner": 1.2, "zbl_outer": 2.0})
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    potential = design.fit(options, directory=tmp_path, leave_out=leave_out)
    errors = design.errors(options, leave_out=leave_out)
    for frames, table in (
        (data.training(leave_out).frames, errors.train),
        (data.evaluation(leave_out).frames, errors.validation),
    ):
        expected = error_table(LammpsPredictor().predict(potential, frames, directory=tmp_path), frames)
        assert rmses(table) == pytest.approx(rmses(expected), rel=1e-6)
        assert set(table.groups) == set(expected.groups)
        for quantity, row in expected.sums.items():
            for group, sums in row.items():
                assert table.sums[quantity][group].count == sums.count


def test_exact_errors_equal_gram_errors(data, blocks):
    regression = Regression(blocks)
    x = regression.solve(regression_weights(OPTIONS, data.groups), 0).coefficients
    for fast, exact in zip(regression.errors(x, 0), regression.errors(x, 0, exact=True), strict=True):
        assert rmses(fast) == pytest.approx(rmses(exact), rel=1e-8)
        assert exact.total("force").absolute is not None
        assert fast.total("force").absolute is None


def test_two_processes_give_the_same_bits(data, blocks):
    settings = descriptor_settings(OPTIONS, data.elements)
    other = problem_of(settings, data).blocks(workers=2, max_matrix_memory=1e9)
    assert other.keys == blocks.keys
    assert np.array_equal(other.packed, blocks.packed)
    assert np.array_equal(other.matrix, blocks.matrix)
    assert np.array_equal(other.virial.rows, blocks.virial.rows)


def test_small_memory_keeps_no_matrix(data):
    settings = descriptor_settings(OPTIONS, data.elements)
    problem = problem_of(settings, data)
    blocks = problem.blocks(max_matrix_memory=1000)
    assert blocks.matrix is None
    weights = regression_weights(OPTIONS, data.groups)
    with pytest.raises(FitError, match="max_matrix_memory"):
        Regression(blocks).solve_exact(weights)
    streamed = Regression(blocks, force_rows=lambda: problem.force_rows(2)).solve_exact(weights, 1)
    kept = Regression(problem.blocks(max_matrix_memory=1e9)).solve_exact(weights, 1)
    assert streamed.method == "qr"
    assert streamed.coefficients == pytest.approx(kept.coefficients, rel=1e-7)


def test_tasks_cover_all_structures_once(data):
    structures = structures_of(data, {})
    fold = np.array(data.folds)
    group = np.array([GROUPS.index(f.group) for f in data.frames])
    tasks = make_tasks(structures, fold, group, GROUPS)
    members = [i for task in tasks for i in task.members]
    assert sorted(members) == list(range(len(structures)))
    assert all(fold[i] == t.fold and GROUPS[group[i]] == t.group for t in tasks for i in t.members)


def test_packing_round_trip():
    rows = np.random.default_rng(0).normal(size=(20, 7))
    full = unpack(gram_of(rows), 7)
    assert np.allclose(np.triu(full), np.triu(rows.T @ rows))
    assert np.array_equal(pack(full), gram_of(rows))


def test_duplicate_columns_fall_back_and_say_so():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(60, 8)) * 10.0 ** np.arange(8)
    a[:, 5] = 3.0 * a[:, 2]
    b = a @ rng.normal(size=8) + rng.normal(size=60)
    rows = np.column_stack([a, b])
    expected = np.linalg.lstsq(a / np.linalg.norm(a, axis=0), b, rcond=None)[0] / np.linalg.norm(a, axis=0)
    best = np.linalg.norm(a @ expected - b)
    for solution in (solve_gram(gram_of(rows), 9), solve_rows([rows], np.einsum("ij,ij->j", a, a))):
        assert solution.method in ("eigen", "svd")
        assert solution.rank == 7
        assert "singular" in solution.note
        assert np.linalg.norm(a @ solution.coefficients - b) == pytest.approx(best, rel=1e-8)
        assert solution.coefficients == pytest.approx(expected, rel=1e-6)


def test_nearly_singular_rows_can_be_solved_as_the_normal_equations_are():
    rng = np.random.default_rng(3)
    left, right = np.linalg.qr(rng.normal(size=(200, 12)))[0], np.linalg.qr(rng.normal(size=(12, 12)))[0]
    a = left @ np.diag(10.0 ** np.linspace(0, -9, 12)) @ right
    rows = np.column_stack([a, a @ rng.normal(size=12) + 1e-3 * rng.normal(size=200)])
    diagonal = np.einsum("ij,ij->j", a, a)
    quick = solve_gram(gram_of(rows), 13)
    truncated, exact = solve_rows([rows], diagonal, truncated=True), solve_rows([rows], diagonal)
    assert (quick.method, truncated.method, exact.method) == ("eigen", "svd", "qr")
    assert quick.rank == truncated.rank < exact.rank == 12
    assert truncated.note == quick.note
    assert a @ truncated.coefficients == pytest.approx(a @ quick.coefficients, abs=1e-4)
    assert np.linalg.norm(exact.coefficients) > 10 * np.linalg.norm(truncated.coefficients)


def test_refit_of_a_nearly_singular_trial_is_the_potential_that_was_judged(data, tmp_path):
    # weights so far apart that QR still has full rank and the normal equations do not
    apart = {"bulk": 1.0, "cluster": 1e-6, "strained": 1e-6}
    changes = {"quadratic": True, "eweight": apart, "fweight": apart, "vweight": apart}
    options = OPTIONS.model_copy(update=changes)
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    weights = regression_weights(options, data.groups)
    quick = design.solution(weights, None, "auto")
    refitted = design.solution(weights, None, "auto", final=True)
    exact = design.solution(weights, None, "qr")
    assert (quick.method, refitted.method, exact.method) == ("eigen", "svd", "qr")
    assert refitted.rank == quick.rank < exact.rank
    judged, delivered, other = (
        np.array(rmses(design.regression.errors(s.coefficients)[0])) for s in (quick, refitted, exact)
    )
    assert delivered == pytest.approx(judged, rel=1e-4)
    assert np.abs(other / judged - 1.0).max() > 0.1


def test_fewer_rows_than_columns_fall_back():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(4, 9))
    for solution in (
        solve_gram(gram_of(rows), 9),
        solve_rows([rows], np.einsum("ij,ij->j", rows[:, :-1], rows[:, :-1])),
    ):
        assert solution.rank == 4
        assert "singular" in solution.note
        assert rows[:, :-1] @ solution.coefficients == pytest.approx(rows[:, -1], abs=1e-6)


def test_unused_columns_get_zero():
    rows = np.random.default_rng(1).normal(size=(30, 5))
    rows[:, 1] = 0.0
    for solution in (
        solve_gram(gram_of(rows), 5),
        solve_rows([rows], np.einsum("ij,ij->j", rows[:, :-1], rows[:, :-1])),
    ):
        assert solution.coefficients[1] == 0.0
        assert "hold no data" in solution.note
        used = [0, 2, 3]
        assert solution.coefficients[used] == pytest.approx(np.linalg.lstsq(rows[:, used], rows[:, -1])[0])


def test_group_with_one_structure_is_singular_alone(data, tmp_path):
    zero = dict.fromkeys(GROUPS, 0.0)
    options = OPTIONS.model_copy(update={"eweight": {**zero, "bulk": 1.0}, "fweight": zero, "vweight": zero})
    training = data.training()
    one = training._only([i for i, f in enumerate(training.frames) if f.group != "bulk" or i == 0])
    design = SnapFitter().prepare(FitRequest(options, one, tmp_path))
    errors = design.errors(options)
    assert any("singular" in note for note in errors.notes)
    fitted = design.fit(options, directory=tmp_path, final=True)
    assert fitted.metadata["rank"] == 1
    assert any("singular" in note for note in fitted.notes)


@pytest.mark.parametrize("ridge", [1e-6, 1e-2])
def test_ridge_equals_augmented_rows(data, blocks, ridge):
    a = weighted_matrix(data, OPTIONS)
    scale = 1.0 / np.linalg.norm(a[:, :-1], axis=0)
    k = len(scale)
    augmented = np.vstack([a[:, :-1] * scale, np.sqrt(ridge) * np.eye(k)])
    expected = np.linalg.lstsq(augmented, np.append(a[:, -1], np.zeros(k)), rcond=None)[0] * scale
    weights = regression_weights(OPTIONS.model_copy(update={"ridge": ridge}), data.groups)
    for solution in (Regression(blocks).solve(weights), Regression(blocks).solve_exact(weights)):
        assert solution.coefficients == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_all_weights_zero_is_an_error(blocks):
    zero = dict.fromkeys(GROUPS, 0.0)
    with pytest.raises(FitError, match="weight above zero"):
        Regression(blocks).solve(Weights(zero, zero, zero))


@pytest.mark.parametrize("leave_out", [None, 1])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_gradient_equals_finite_differences(data, tmp_path, leave_out, ridge):
    options = OPTIONS.model_copy(update={"ridge": ridge})
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))

    def loss(table):
        return (
            0.7 * table.total("energy_sqrt").rmse
            + 0.2 * table.total("force").rmse
            + 0.1 * table.total("virial").rmse
            + 0.3 * table.total("energy").rmse
        )

    def sensitivity(table):
        factors = {"energy_sqrt": 0.7, "force": 0.2, "virial": 0.1, "energy": 0.3}
        return {
            q: dict.fromkeys(table.sums[q], f * 0.5 / (table.total(q).rmse * table.total(q).count))
            for q, f in factors.items()
        }

    names = [f"{w}.{g}" for w in ("eweight", "fweight", "vweight") for g in GROUPS] + ["ridge", "fweight"]
    errors, gradient = design.error_gradient(options, names, sensitivity, leave_out=leave_out)
    assert list(gradient) == names
    h = 1e-4
    for name in names:
        values = []
        for sign in (1, -1):
            factor = np.exp(sign * h)
            kind, _, group = name.partition(".")
            old = getattr(options, kind)
            if not isinstance(old, dict):
                new = old * factor
            else:
                new = {g: v * (factor if group in ("", g) else 1.0) for g, v in old.items()}
            values.append(
                loss(design.errors(options.model_copy(update={kind: new}), leave_out=leave_out).validation)
            )
        assert gradient[name] == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-4, abs=1e-9), name
    assert loss(errors.validation) == pytest.approx(
        loss(design.errors(options, leave_out=leave_out).validation)
    )


def test_condition_is_that_of_the_scaled_matrix(data, blocks):
    a = weighted_matrix(data, OPTIONS)[:, :-1]
    singular = scipy.linalg.svdvals(a / np.linalg.norm(a, axis=0))
    ours = Regression(blocks).solve(regression_weights(OPTIONS, data.groups)).condition
    # LAPACK estimates in the 1-norm: the right order of magnitude is all that is promised
    assert 0.2 < ours / (singular[0] / singular[-1]) < 30


def test_one_composition_is_not_singular(tmp_path):
    data = small_data(one_composition=True)
    design = SnapFitter().prepare(FitRequest(OPTIONS, data, tmp_path))
    a = weighted_matrix(data, OPTIONS)
    expected = np.linalg.lstsq(a[:, :-1], a[:, -1], rcond=None)[0]
    weights = regression_weights(OPTIONS, data.groups)
    best = np.linalg.norm(a[:, :-1] @ expected - a[:, -1])
    for solution in (design.regression.solve(weights), design.regression.solve_exact(weights)):
        assert solution.method in ("cholesky", "qr")
        assert not solution.note
        assert np.linalg.norm(a[:, :-1] @ solution.coefficients - a[:, -1]) == pytest.approx(best, rel=1e-9)
        first, second = design.regression._free[0, [0, 15]], solution.coefficients[[0, 15]]
        assert first @ second == pytest.approx(0.0, abs=1e-8)


def test_one_composition_fitted_to_forces_only(tmp_path):
    """Constants whose columns hold nothing have no direction that could be held."""
    data = small_data(one_composition=True)
    options = OPTIONS.model_copy(update={"eweight": 0.0, "vweight": 0.0})
    design = SnapFitter().prepare(FitRequest(options, data, tmp_path))
    a = weighted_matrix(data, options)
    expected = np.linalg.lstsq(a[:, :-1], a[:, -1], rcond=None)[0]
    weights = regression_weights(options, data.groups)
    best = np.linalg.norm(a[:, :-1] @ expected - a[:, -1])
    for solution in (design.regression.solve(weights), design.regression.solve_exact(weights)):
        assert solution.method in ("cholesky", "qr")
        assert "2 columns hold no data" in solution.note
        assert np.linalg.norm(a[:, :-1] @ solution.coefficients - a[:, -1]) == pytest.approx(best, rel=1e-9)
    assert np.isfinite(design.errors(options, leave_out=1).validation.total("force").rmse)
    assert design.fit(options, directory=tmp_path, final=True).path("include").is_file()


def test_directions_in_unused_columns_are_left_out():
    """Also where rounding leaves a trace of them in the others."""
    rng = np.random.default_rng(3)
    a = np.zeros((40, 7))
    a[:, :2] = rng.normal(size=(40, 2))
    a[:, 2] = a[:, 3] = rng.normal(size=40)
    a[:, 6] = rng.normal(size=40)
    free = np.zeros((2, 6))
    free[0, 2:4] = free[1, 4:6] = np.array([1.0, -1.0]) / np.sqrt(2)
    free[1, 0] = 1e-17
    best = np.linalg.norm(a[:, :6] @ np.linalg.lstsq(a[:, :6], a[:, 6], rcond=None)[0] - a[:, 6])
    gram = solve_gram(pack(a.T @ a), 7, free=free)
    rows = solve_rows([a], (a[:, :6] ** 2).sum(axis=0), free=free)
    for solution in (gram, rows):
        assert np.linalg.norm(a[:, :6] @ solution.coefficients - a[:, 6]) == pytest.approx(best, rel=1e-9)
