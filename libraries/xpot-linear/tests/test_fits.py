"""Fits of the pair basis of the documentation against plain numpy on the whole matrix."""

from dataclasses import replace

import numpy as np
import pytest
from linear_cases import GROUPS, small_data
from xpot_linear import LinearModel, Rows, predict
from xpot_linear.blocks.block_set import GPA
from xpot_linear.blocks.orientation import cell_rotation, voigt_turn
from xpot_pair.fitter import PairBasis, PairFitter
from xpot_pair.options import PairOptions

from xpot_core.api import FitError, FitRequest, InfeasibleError, Limits, error_table, voigt

OPTIONS = PairOptions(
    cutoff=5.0,
    order=4,
    eweight={"bulk": 30.0, "cluster": 5.0, "strained": 12.0},
    fweight={"bulk": 1.0, "cluster": 0.3, "strained": 2.0},
    vweight={"bulk": 0.2, "cluster": 0.0, "strained": 0.05},
)


@pytest.fixture(scope="module")
def data():
    return small_data()


def prepared(data, folder, options=OPTIONS, **request):
    return PairFitter().prepare(FitRequest(options, data, folder, **request))


def matrix_of(data, options, leave_out=None, basis=None):
    """Weighted rows of a fit by hand: constants, functions, target."""
    basis = basis or PairBasis(data.elements, options.cutoff, options.order)
    parts = []
    for frame in data.training(leave_out).frames:
        rows, n, g = basis.rows(frame), frame.n_atoms, frame.group
        counts = [list(frame.atoms.symbols).count(e) for e in data.elements] if options.constant else []
        zeros = np.zeros((3 * n, len(counts)))
        parts.append(np.concatenate([counts, rows.energy, [frame.energy]])[None] * options.eweight[g] / n)
        parts.append(np.hstack([zeros, rows.forces, frame.forces.reshape(-1, 1)]) * options.fweight[g])
        if frame.virial is not None:
            scale = options.vweight[g] * GPA / frame.atoms.get_volume()
            turn = voigt_turn(cell_rotation(np.array(frame.atoms.cell)))
            parts.append(turn @ np.hstack([zeros[:6], rows.virial, voigt(frame.virial)[:, None]]) * scale)
    return np.concatenate(parts)


def expected(a, columns=slice(None)):
    return np.linalg.lstsq(a[:, :-1][:, columns], a[:, -1], rcond=None)[0]


@pytest.mark.parametrize("leave_out", [None, 0, 2])
@pytest.mark.parametrize("solver", ["gram", "qr"])
@pytest.mark.parametrize("constant", [True, False])
def test_a_fit_is_the_least_squares_of_its_rows(data, tmp_path, leave_out, solver, constant):
    options = OPTIONS.model_copy(update={"solver": solver, "constant": constant})
    design = prepared(data, tmp_path, options)
    solution = design.solution(options, leave_out)
    wanted = expected(matrix_of(data, options, leave_out))
    assert solution.method == {"gram": "cholesky", "qr": "qr"}[solver]
    assert solution.coefficients == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_that_are_not_kept_are_computed_anew(data, tmp_path, workers):
    options = OPTIONS.model_copy(update={"solver": "qr", "max_matrix_memory": 0.0, "cache": False})
    design = prepared(data, tmp_path, options, threads=workers)
    assert design.blocks.matrix is None
    wanted = expected(matrix_of(data, options, 1))
    assert design.solution(options, 1).coefficients == pytest.approx(wanted, rel=1e-8)


def test_errors_are_those_of_the_predictions(data, tmp_path):
    design = prepared(data, tmp_path)
    for leave_out in (None, 1):
        model = design.model(design.solution(OPTIONS, leave_out))
        found = design.errors(OPTIONS, leave_out=leave_out)
        for table, part in (
            (found.train, data.training(leave_out)),
            (found.validation, data.evaluation(leave_out)),
        ):
            real = error_table(predict(design.problem.basis, model, part.frames), part.frames)
            for quantity in ("energy", "energy_sqrt", "force"):
                assert table.total(quantity).count == real.total(quantity).count
                assert table.total(quantity).rmse == pytest.approx(real.total(quantity).rmse, rel=1e-9)


class SizedFitter(PairFitter):
    """How many polynomials of the first pair have coefficients: those of the others have all."""

    kept = np.array([0, 1, 2, 3, 4, 6, 7, 9])

    def columns(self, basis, options):
        return self.kept


@pytest.mark.parametrize("solver", ["gram", "qr"])
def test_some_columns_alone(data, tmp_path, solver):
    options = OPTIONS.model_copy(update={"solver": solver})
    design = SizedFitter().prepare(FitRequest(options, data, tmp_path))
    columns = np.append([0, 1], 2 + SizedFitter.kept)
    found = design.solution(options, 1).coefficients
    assert found[columns] == pytest.approx(expected(matrix_of(data, options, 1), columns), rel=1e-7)
    assert not np.delete(found, columns).any()


class PenalisedBasis(PairBasis):
    def penalties(self):
        return np.arange(1.0, self.size + 1)


class PenalisedFitter(PairFitter):
    def basis(self, options, data):
        return PenalisedBasis(data.elements, options.cutoff, options.order)


@pytest.mark.parametrize("solver", ["gram", "qr"])
@pytest.mark.parametrize("fitter", [PairFitter, PenalisedFitter])
@pytest.mark.parametrize(
    "ridges", [{"ridge": 1e-3}, {"absolute_ridge": 0.3}, {"ridge": 1e-3, "absolute_ridge": 0.3}]
)
def test_ridges_equal_further_rows(data, tmp_path, solver, fitter, ridges):
    options = OPTIONS.model_copy(update={"solver": solver, **ridges})
    design = fitter().prepare(FitRequest(options, data, tmp_path))
    a = matrix_of(data, options)
    factors = np.ones(a.shape[1] - 1)
    if fitter is PenalisedFitter:
        factors[2:] = np.arange(1.0, design.problem.basis.size + 1)
    own = factors * (options.ridge * (a[:, :-1] ** 2).sum(axis=0) + options.absolute_ridge)
    more = np.hstack([np.diag(np.sqrt(own)), np.zeros((len(own), 1))])
    assert design.solution(options).coefficients == pytest.approx(expected(np.vstack([a, more])), rel=1e-7)


def test_a_gradient_takes_the_errors_that_are_known(data, tmp_path, monkeypatch):
    design = prepared(data, tmp_path)
    known = design.errors(OPTIONS, leave_out=1)
    monkeypatch.setattr(design.regression, "errors", lambda *_: pytest.fail("computed again"))
    assert (
        design.error_gradient(OPTIONS, ["eweight"], sensitivity, leave_out=1)[0].validation
        == known.validation
    )


def loss(table):
    return (
        table.total("energy_sqrt").rmse + 0.3 * table.total("force").rmse + 0.1 * table.total("virial").rmse
    )


def sensitivity(table):
    factors = {"energy_sqrt": 1.0, "force": 0.3, "virial": 0.1}
    return {
        q: dict.fromkeys(table.sums[q], f * 0.5 / (table.total(q).rmse * table.total(q).count))
        for q, f in factors.items()
    }


def differences_of(design, options, names, leave_out):
    """Slopes of the loss by the logarithms of options."""
    differences = []
    for name in names:
        kind, _, group = name.partition(".")
        values = []
        for step in (1e-3, -1e-3):
            old = getattr(options, kind)
            new = (
                {g: v * np.exp(step if group in ("", g) else 0) for g, v in old.items()}
                if isinstance(old, dict)
                else old * np.exp(step)
            )
            changed = options.model_copy(update={kind: new})
            values.append(loss(design.errors(changed, leave_out=leave_out).validation))
        differences.append((values[0] - values[1]) / 2e-3)
    return differences


@pytest.mark.parametrize("fitter", [PairFitter, PenalisedFitter, SizedFitter])
@pytest.mark.parametrize(
    ("ridge", "absolute"), [(1e-9, 0.0), (1e-2, 0.0), (0.0, 1e-9), (0.0, 0.3), (1e-2, 0.3)]
)
def test_gradient_equals_differences(data, tmp_path, fitter, ridge, absolute):
    options = OPTIONS.model_copy(update={"ridge": ridge, "absolute_ridge": absolute})
    design = fitter().prepare(FitRequest(options, data, tmp_path))
    names = [f"{w}.{g}" for w in ("eweight", "fweight", "vweight") for g in GROUPS] + [
        "ridge",
        "absolute_ridge",
        "fweight",
    ]
    _, gradient = design.error_gradient(options, names, sensitivity, leave_out=1)
    assert list(gradient) == names
    differences = differences_of(design, options, names, leave_out=1)
    assert list(gradient.values()) == pytest.approx(
        differences, rel=1e-4, abs=1e-5 * max(map(abs, differences))
    )


class RandomBasis(PairBasis):
    """More columns than there are rows, which depend on nothing."""

    size = 80

    def rows(self, frame):
        rng = np.random.default_rng(len(frame.source) + int(frame.source[-1]))
        return Rows(rng.normal(size=80), rng.normal(size=(3 * frame.n_atoms, 80)), rng.normal(size=(6, 80)))


class RandomFitter(PairFitter):
    def basis(self, options, data):
        return RandomBasis(data.elements, options.cutoff, options.order)


def test_gradient_of_the_smallest_solution(tmp_path):
    """Fewer rows than columns: which solution is the smallest depends on the weights too."""
    data = small_data(n=2, external=2, folds=0)
    design = RandomFitter().prepare(FitRequest(OPTIONS, data, tmp_path))
    assert design.solution(OPTIONS, solver="gram").method == "eigen"
    names = ["eweight.bulk", "fweight.bulk", "fweight.cluster", "vweight.bulk"]
    _, gradient = design.error_gradient(OPTIONS, names, sensitivity)
    differences = differences_of(design, OPTIONS, names, leave_out=None)
    assert max(map(abs, differences)) > 1e-3
    assert list(gradient.values()) == pytest.approx(differences, rel=1e-4, abs=1e-6)


def test_one_composition_is_not_singular(tmp_path):
    data = small_data(one_composition=True)
    design = prepared(data, tmp_path)
    a = matrix_of(data, OPTIONS)
    for solver in ("gram", "qr"):
        found = design.solution(OPTIONS, solver=solver)
        assert found.method in ("cholesky", "qr")
        assert not found.note
        assert a[:, :-1] @ found.coefficients == pytest.approx(a[:, :-1] @ expected(a), abs=1e-8)


def test_second_design_comes_from_disk(data, tmp_path, monkeypatch):
    first = prepared(data, tmp_path)
    monkeypatch.setattr(PairBasis, "rows", lambda *_: pytest.fail("computed again"))
    again = prepared(data, tmp_path)
    assert (
        first.errors(OPTIONS, leave_out=1).validation.to_json()
        == again.errors(OPTIONS, leave_out=1).validation.to_json()
    )
    with pytest.raises(pytest.fail.Exception):
        prepared(data, tmp_path, OPTIONS.model_copy(update={"cutoff": 5.1}))


def test_rows_of_a_wrong_form_are_named(data, tmp_path, monkeypatch):
    monkeypatch.setattr(PairBasis, "rows", lambda self, frame: Rows(np.zeros(3), np.zeros((18, 3))))
    with pytest.raises(FitError, match=r"energy rows of small#\d+ have the shape \(3,\), expected \(12,\)"):
        prepared(data, tmp_path)
    nan = np.full((18, 12), np.nan)
    monkeypatch.setattr(PairBasis, "rows", lambda self, frame: Rows(np.zeros(12), nan))
    with pytest.raises(FitError, match=r"descriptors of small#\d+ are not finite"):
        prepared(data, tmp_path)


def test_too_little_memory_is_infeasible(data, tmp_path):
    with pytest.raises(InfeasibleError, match="14 coefficients need at least"):
        prepared(data, tmp_path, limits=Limits(memory_bytes=10_000))


def test_constants_are_fitted_and_shifts_given_back(data, tmp_path):
    options = OPTIONS.model_copy(update={"energy_shift": {"In": -3.0}})
    one, other = prepared(data, tmp_path, options), prepared(data, tmp_path)
    a, b = (d.model(d.solution(o, solver="qr")) for d, o in ((one, options), (other, OPTIONS)))
    assert isinstance(a, LinearModel)
    assert dict(a.constants) == pytest.approx(dict(b.constants))
    assert a.coefficients == pytest.approx(b.coefficients)


def test_a_fit_does_not_depend_on_how_structures_are_turned(data, tmp_path):
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    frames = []
    for frame in data.frames:
        atoms = frame.atoms.copy()
        atoms.set_cell(np.array(atoms.cell) @ rotation)
        atoms.positions = frame.atoms.positions @ rotation
        virial = None if frame.virial is None else rotation.T @ frame.virial @ rotation
        frames.append(replace(frame, atoms=atoms, forces=frame.forces @ rotation, virial=virial))
    options = OPTIONS.model_copy(update={"solver": "qr"})
    one = prepared(data, tmp_path, options).solution(options)
    turned = prepared(replace(data, frames=tuple(frames)), tmp_path, options).solution(options)
    assert turned.coefficients == pytest.approx(one.coefficients, rel=1e-9)
