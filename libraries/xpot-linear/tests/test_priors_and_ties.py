"""A prior matrix equals further rows; tied coefficients equal a fit on fewer columns."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from linear_cases import GROUPS, small_data
from scipy.spatial.distance import cdist
from test_fits import OPTIONS, differences_of, expected, matrix_of, sensitivity
from xpot_linear import Tied, predict
from xpot_pair.fitter import PairBasis, PairFitter, PairPredictor

from xpot_core.api import FitError, FitRequest, NoOptions

ORDER = OPTIONS.order
KERNEL = np.exp(-cdist(np.arange(3.0 * ORDER)[:, None], np.arange(3.0 * ORDER)[:, None]) / 3.0)
ROUGHNESS = np.kron(np.eye(3), np.diff(np.eye(ORDER), axis=0))
"""Differences between neighbouring polynomials: what they have in common is free."""
PRIORS = {"kernel": KERNEL, "roughness": ROUGHNESS.T @ ROUGHNESS}


@dataclass(frozen=True)
class PriorBasis(PairBasis):
    kind: str = "kernel"

    def prior(self):
        return PRIORS[self.kind]

    def penalties(self):
        return np.arange(1.0, self.size + 1)


def with_prior(kind):
    class Fitter(PairFitter):
        def basis(self, options, data):
            return PriorBasis(data.elements, options.cutoff, options.order, kind)

    return Fitter()


@pytest.fixture(scope="module")
def data():
    return small_data()


@pytest.mark.parametrize("solver", ["gram", "qr"])
@pytest.mark.parametrize("kind", PRIORS)
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_a_prior_equals_further_rows(data, tmp_path, solver, kind, ridge):
    options = OPTIONS.model_copy(update={"solver": solver, "absolute_ridge": 0.7, "ridge": ridge})
    design = with_prior(kind).prepare(FitRequest(options, data, tmp_path))
    a = matrix_of(data, options)
    values, vectors = np.linalg.eigh(0.7 * PRIORS[kind])
    more = np.zeros((len(values), a.shape[1]))
    more[:, 2:-1] = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    squares = ridge * np.append([1.0, 1.0], np.arange(1.0, len(values) + 1)) * (a[:, :-1] ** 2).sum(axis=0)
    relative = np.hstack([np.diag(np.sqrt(squares)), np.zeros((len(squares), 1))])
    wanted = expected(np.vstack([a, more, relative]))
    assert design.solution(options).coefficients == pytest.approx(wanted, rel=1e-7)
    none = options.model_copy(update={"absolute_ridge": 0.0})
    assert design.solution(none).coefficients == pytest.approx(expected(np.vstack([a, relative])), rel=1e-6)


@pytest.mark.parametrize("solver", ["gram", "qr"])
def test_a_sparse_gaussian_process_is_a_linear_model_with_a_prior(data, tmp_path, solver):
    """``|(y - K alpha) / sigma|^2 + alpha^T S alpha``, solved in the basis where the prior is the unit matrix."""
    options = OPTIONS.model_copy(update={"solver": solver, "absolute_ridge": 1.0, "constant": False})
    design = with_prior("kernel").prepare(FitRequest(options, data, tmp_path))
    a = matrix_of(data, options)
    factor = np.linalg.cholesky(KERNEL)
    white = np.linalg.solve(factor, a[:, :-1].T).T
    beta = np.linalg.solve(white.T @ white + np.eye(len(factor)), white.T @ a[:, -1])
    alpha = np.linalg.solve(factor.T, beta)
    assert design.solution(options).coefficients == pytest.approx(alpha, rel=1e-7)


@pytest.mark.parametrize("absolute", [1e-6, 0.3])
def test_gradient_with_a_prior(data, tmp_path, absolute):
    options = OPTIONS.model_copy(update={"absolute_ridge": absolute, "ridge": 1e-6})
    design = with_prior("roughness").prepare(FitRequest(options, data, tmp_path))
    names = [f"fweight.{g}" for g in GROUPS] + ["absolute_ridge", "ridge"]
    _, gradient = design.error_gradient(options, names, sensitivity, leave_out=1)
    differences = differences_of(design, options, names, leave_out=1)
    assert differences[-2] != 0.0
    assert list(gradient.values()) == pytest.approx(
        differences, rel=1e-4, abs=1e-5 * max(map(abs, differences))
    )


def test_leave_one_out_with_a_prior(data, tmp_path):
    options = OPTIONS.model_copy(update={"absolute_ridge": 0.7, "solver": "qr"})
    found = with_prior("kernel").prepare(FitRequest(options, data, tmp_path)).leave_one_out(options)
    for i in (0, 7, 20):
        kept = [k for k in range(len(data.frames)) if k != i]
        others = replace(
            data,
            frames=tuple(data.frames[k] for k in kept),
            folds=tuple(data.folds[k] for k in kept),
        )
        refit = with_prior("kernel").prepare(FitRequest(options, others, tmp_path))
        said = predict(refit.problem.basis, refit.model(refit.solution(options)), [data.frames[i]])
        error = (said.energies[0] - data.frames[i].energy) / data.frames[i].n_atoms
        assert found.energies[found.frames.index(i)] == pytest.approx(error, abs=1e-8)


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        (np.eye(3), "has the shape"),
        (np.triu(np.ones((12, 12))), "not symmetric"),
        (np.eye(12) - 0.2, "negative eigenvalue"),
    ],
)
def test_wrong_priors_are_refused(data, tmp_path, monkeypatch, prior, said):
    monkeypatch.setitem(PRIORS, "wrong", prior)
    with pytest.raises(FitError, match=said):
        with_prior("wrong").prepare(FitRequest(OPTIONS, data, tmp_path))


class TiedFitter(PairFitter):
    """Equal coefficients for both pairs of like elements, none for the last polynomial of the mixed pair."""

    labels = np.array([*range(4), *range(4, 7), -1, *range(4)])

    def basis(self, options, data):
        return Tied.equal(PairBasis(data.elements, options.cutoff, options.order), self.labels)

    def write(self, directory, basis, model, **facts):
        return super().write(directory, basis.whole, basis.untied(model), **facts)


class MappedFitter(TiedFitter):
    map = np.random.default_rng(1).normal(size=(12, 5))

    def basis(self, options, data):
        return Tied(PairBasis(data.elements, options.cutoff, options.order), self.map)


LABEL_MAP = np.array([[float(label == i) for i in range(7)] for label in TiedFitter.labels])


@pytest.mark.parametrize(("fitter", "map"), [(TiedFitter, LABEL_MAP), (MappedFitter, MappedFitter.map)])
@pytest.mark.parametrize("solver", ["gram", "qr"])
def test_tied_coefficients_are_a_fit_on_fewer_columns(data, tmp_path, fitter, map, solver):
    options = OPTIONS.model_copy(update={"solver": solver})
    design = fitter().prepare(FitRequest(options, data, tmp_path))
    a = matrix_of(data, options)
    fewer = np.hstack([a[:, :2], a[:, 2:-1] @ map, a[:, -1:]])
    free = expected(fewer)
    assert design.solution(options).coefficients == pytest.approx(free, rel=1e-7)
    potential = design.fit(options, directory=tmp_path)
    said = PairPredictor(NoOptions()).predict(potential, data.frames[:3], directory=tmp_path)
    rows = [PairBasis(data.elements, 5.0, ORDER).rows(f) for f in data.frames[:3]]
    for forces, row in zip(said.forces, rows, strict=True):
        assert forces.ravel() == pytest.approx(row.forces @ (map @ free[2:]), rel=1e-6, abs=1e-9)


def test_ties_have_gradients_and_another_cache_entry(data, tmp_path):
    options = OPTIONS.model_copy(update={"ridge": 1e-3, "absolute_ridge": 0.1})
    design = TiedFitter().prepare(FitRequest(options, data, tmp_path))
    names = [f"fweight.{g}" for g in GROUPS] + ["absolute_ridge", "ridge"]
    _, gradient = design.error_gradient(options, names, sensitivity, leave_out=1)
    differences = differences_of(design, options, names, leave_out=1)
    assert list(gradient.values()) == pytest.approx(
        differences, rel=1e-4, abs=1e-5 * max(map(abs, differences))
    )
    whole = design.problem.basis.whole
    prints = {
        b.fingerprint() for b in (whole, Tied.equal(whole, range(12)), Tied.equal(whole, range(12, 0, -1)))
    }
    assert len(prints) == 3


def test_ties_carry_penalties_and_prior():
    whole = PriorBasis(("In", "P"), 5.0, ORDER)
    tied = Tied.equal(whole, TiedFitter.labels)
    assert tied.penalties() == pytest.approx([5, 6, 7, 8, 5, 6, 7])
    free = np.arange(1.0, 8.0)
    all_of_them = LABEL_MAP @ free
    assert free @ tied.prior() @ free == pytest.approx(all_of_them @ KERNEL @ all_of_them)
    with pytest.raises(FitError, match=r"expected \(12, m\)"):
        Tied(whole, np.eye(3))
