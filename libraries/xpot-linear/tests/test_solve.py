"""Solvers against plain numpy, also where the problem is (nearly) singular."""

import time

import numpy as np
import pytest
from xpot_linear.blocks.gram import GramAccumulator, gram_of, pack, unpack
from xpot_linear.solve.normal_equations import solve_gram
from xpot_linear.solve.rows import solve_rows
from xpot_linear.solve.solution import Penalty


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
    for solution in (solve_gram(gram_of(rows), 9, n_rows=7), solve_rows([rows], np.einsum("ij,ij->j", a, a))):
        assert solution.method in ("eigen", "svd")
        assert solution.rank == 7
        assert "singular" in solution.note
        assert np.linalg.norm(a @ solution.coefficients - b) == pytest.approx(best, rel=1e-8)
        assert solution.coefficients == pytest.approx(expected, rel=1e-6)


def test_nearly_singular_rows_are_solved_with_the_ridge_of_the_normal_equations():
    rng = np.random.default_rng(3)
    left, right = np.linalg.qr(rng.normal(size=(200, 12)))[0], np.linalg.qr(rng.normal(size=(12, 12)))[0]
    a = left @ np.diag(10.0 ** np.linspace(0, -9, 12)) @ right
    rows = np.column_stack([a, a @ rng.normal(size=12) + 1e-3 * rng.normal(size=200)])
    diagonal = np.einsum("ij,ij->j", a, a)
    quick = solve_gram(gram_of(rows), 13)
    held, exact = solve_rows([rows], diagonal, Penalty().raised(quick.ridge)), solve_rows([rows], diagonal)
    assert (quick.method, held.method, exact.method) == ("cholesky", "qr", "qr")
    assert quick.rank < exact.rank == 12
    assert "a ridge of" in quick.note
    assert a @ held.coefficients == pytest.approx(a @ quick.coefficients, abs=1e-4)
    assert np.linalg.norm(exact.coefficients) > 10 * np.linalg.norm(held.coefficients)


def test_a_nearly_singular_fit_costs_no_more_than_two_factorisations():
    """Weights far apart once made a fit of quadratic SNAP cost seventeen times a regular one, by eigenvalues."""
    rng = np.random.default_rng(5)
    a = rng.normal(size=(900, 400))
    regular = gram_of(np.column_stack([a, rng.normal(size=900)]))
    a[:, 200:] = a[:, :200] + 1e-9 * a[:, 200:]
    singular = gram_of(np.column_stack([a, rng.normal(size=900)]))

    def seconds(packed):
        def once():
            start = time.process_time()
            solve_gram(packed, 401)
            return time.process_time() - start

        return min(once() for _ in range(5))

    assert solve_gram(singular, 401).ridge > 0.0
    assert seconds(singular) < 4.0 * seconds(regular)


def test_duplicate_columns_are_held_by_a_ridge_where_rows_are_enough():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(60, 8))
    a[:, 5] = 3.0 * a[:, 2]
    rows = np.column_stack([a, rng.normal(size=60)])
    solution = solve_gram(gram_of(rows), 9, n_rows=60)
    assert (solution.method, solution.rank) == ("cholesky", 7)
    best = a @ np.linalg.lstsq(a, rows[:, -1], rcond=None)[0]
    assert a @ solution.coefficients == pytest.approx(best, abs=1e-4)


def test_fewer_rows_than_columns_fall_back():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(4, 9))
    for solution in (
        solve_gram(gram_of(rows), 9, n_rows=4),
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


def test_accumulated_rows_are_those_of_one_product():
    rows, factor = np.random.default_rng(0).normal(size=(2000, 5)), np.linspace(0, 1, 2000)
    sums = GramAccumulator(5)
    for start in range(0, 2000, 300):
        part = slice(start, start + 300)
        sums.add(rows[part], factor[part])
    assert sums.packed() == pytest.approx(gram_of(rows * factor[:, None]))
