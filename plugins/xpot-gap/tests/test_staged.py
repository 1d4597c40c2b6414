"""One design, many sigmas: equal to what gap_fit and quippy say."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from gap_cases import make_data, make_options, make_request
from scipy.linalg import solve_triangular
from xpot_gap.fitter import GapFitter
from xpot_gap.linear_system.dump import read_dump
from xpot_gap.options import GapOptions
from xpot_gap.potential.predictor import GapPredictor
from xpot_gap.regression.design import GapDesign

from xpot_core.api import (
    DifferentiableDesign,
    ErrorTable,
    FitError,
    FloatArray,
    Limits,
    PluginError,
    Predictions,
    StagedFitter,
    TrainingData,
    error_table,
)

pytest.importorskip("quippy")

FOLDS = [0, 1, 2] * 3 + [-2, -2]
SIGMAS = {
    "sigma_energy": {"Elastic": 0.001, "AIMD-NVT": 0.02},
    "sigma_force": {"Elastic": 0.02, "AIMD-NVT": 0.2},
    "sigma_virial": {"Elastic": 0.02, "AIMD-NVT": 0.4},
}


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return make_data(11, folds=FOLDS)


@pytest.fixture(scope="module")
def design(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> GapDesign:
    folder = tmp_path_factory.mktemp("design")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XPOT_CACHE", str(folder / "cache"))
        options = make_options(sparse_selection="gap_fit")
        return GapFitter().prepare(make_request(data, folder, options=options))


def test_protocols(design: GapDesign) -> None:
    assert isinstance(GapFitter(), StagedFitter)
    assert isinstance(design, DifferentiableDesign)


@pytest.mark.slow
def test_written_potential_is_what_gap_fit_refits(
    design: GapDesign, data: TrainingData, tmp_path: Path
) -> None:
    options = make_options(**SIGMAS)
    for name in ("staged", "whole"):
        (tmp_path / name).mkdir()
    staged = design.fit(options, directory=tmp_path / "staged")
    by_gap_fit = options.model_copy(update={"engine": "gap_fit"})
    whole = GapFitter().fit(make_request(data.training(), tmp_path / "whole", options=by_gap_fit))
    one = GapPredictor().predict(staged, data.frames, directory=tmp_path)
    two = GapPredictor().predict(whole, data.frames, directory=tmp_path)
    assert np.max(np.abs(one.energies - two.energies)) / 8 < 1e-6
    assert max(np.max(np.abs(a - b)) for a, b in zip(one.forces, two.forces, strict=True)) < 1e-5
    text = staged.path("potential").read_text()
    assert "config_type_sigma={Elastic:0.001:0.02:0.02:0.0:AIMD-NVT:0.02:0.2:0.4:0.0}" in text


@pytest.mark.parametrize("leave_out", [None, 1])
def test_errors_are_those_of_the_written_potential(
    design: GapDesign, data: TrainingData, tmp_path: Path, leave_out: int | None
) -> None:
    """Through the sums for scans, and through the rows where those do not fit into memory."""
    options = make_options(**SIGMAS)
    potential = design.fit(options, directory=tmp_path, leave_out=leave_out)
    predictions = GapPredictor().predict(potential, data.frames, directory=tmp_path)

    def expected_for(part: TrainingData) -> ErrorTable:
        index = [i for i, f in enumerate(data.frames) if any(f is g for g in part.frames)]
        assert predictions.virials is not None
        own = Predictions(
            predictions.energies[index], [predictions.forces[i] for i in index], predictions.virials[index]
        )
        return error_table(own, part.frames)

    for gram_bytes in (1e9, 0):
        design._gram_bytes = gram_bytes
        errors = design.errors(options, leave_out=leave_out)
        for table, part in (
            (errors.train, data.training(leave_out)),
            (errors.validation, data.evaluation(leave_out)),
        ):
            expected = expected_for(part)
            assert table.groups == expected.groups
            for quantity in ("energy", "energy_sqrt", "force", "virial"):
                for group in table.groups:
                    ours, theirs = table.total(quantity, [group]), expected.total(quantity, [group])
                    assert ours.count == theirs.count
                    assert ours.rmse == pytest.approx(theirs.rmse, rel=1e-4)
                    assert ours.mae == pytest.approx(theirs.mae, rel=1e-4)


def step_to_optimum(design: GapDesign, options: GapOptions, alpha: FloatArray) -> float:
    """How far the coefficients are from the smallest sum of squares, relative, from residuals of 80 bits."""
    white, weight = design._white, np.sqrt(design._row_weights(options, None))
    rows = np.concatenate(list(white.weighted_rows(weight)))
    triangle = np.linalg.qr(np.concatenate([rows[:, :-1], white.factor.T]), mode="r")
    exact, factor = rows.astype(np.longdouble), white.factor.astype(np.longdouble)
    residual = exact[:, -1] - exact[:, :-1] @ alpha
    slope = (exact[:, :-1].T @ residual - factor @ (factor.T @ alpha)).astype(float)
    step = solve_triangular(triangle, slope, trans="T")
    return float(np.linalg.norm(step) / np.linalg.norm(triangle @ alpha))


@pytest.mark.parametrize("sigma", [1e-3, 0.05])
def test_sums_are_as_exact_as_rows(design: GapDesign, sigma: float) -> None:
    options = make_options(sigma_energy=sigma, sigma_force=sigma)
    design._gram_bytes = 1e9
    found = design._solve(options, None)
    assert found.solution is not None
    by_rows, _ = design._white.exact(np.sqrt(design._row_weights(options, None)))
    limit = max(10 * step_to_optimum(design, options, by_rows), 1e-9)
    assert step_to_optimum(design, options, found.alpha) < limit < 1e-6


def test_what_sums_cannot_solve_rows_do(design: GapDesign, tmp_path: Path) -> None:
    """Eleven energies that weigh 1e20 times the prior make the normal matrix singular in double precision."""
    options = make_options(sigma_energy=1e-10, sigma_force=1e4, sigma_virial=1e4)
    design._gram_bytes = 1e9
    potential = design.fit(options, directory=tmp_path)
    assert "the fast solver failed; solved by QR" in potential.notes
    by_rows, condition = design._white.exact(np.sqrt(design._row_weights(options, None)))
    assert potential.metadata["condition"] == condition
    assert step_to_optimum(design, options, by_rows) < 1e-6


@pytest.mark.parametrize(
    "descriptor",
    [
        # Its length scales follow from the data.
        {"angle_3b": {"cutoff": 3.2, "n_sparse": 10}},
        {"soap_turbo": {"rcut_hard": 4.0, "alpha_max": 4, "l_max": 3, "n_sparse": 10}},
    ],
    ids=lambda d: next(iter(d)),
)
def test_external_set_with_other_descriptors(tmp_path: Path, descriptor: dict[str, object]) -> None:
    data = make_data(6, elements=("Cu", "Al"), folds=[-1] * 4 + [-2] * 2)
    options = make_options(e0="average", descriptors=[descriptor])
    design = GapFitter().prepare(make_request(data, tmp_path, options=options))
    held = data.evaluation().frames
    potential = design.fit(options, directory=tmp_path)
    predicted = error_table(GapPredictor().predict(potential, held, directory=tmp_path), held)
    errors = design.errors(options).validation
    for quantity in ("energy", "force", "virial"):
        assert errors.total(quantity).rmse == pytest.approx(predicted.total(quantity).rmse, rel=1e-6)


@pytest.mark.parametrize("leave_out", [None, 2])
def test_gradient_by_finite_differences(design: GapDesign, leave_out: int | None) -> None:
    design._gram_bytes = 1e9
    shares = {"energy_sqrt": 1.0, "force": 0.3, "virial": 0.1}

    def value(table: ErrorTable) -> float:
        return sum(share * table.total(q).square for q, share in shares.items())

    def sensitivity(table: ErrorTable) -> Mapping[str, Mapping[str, float]]:
        return {q: dict.fromkeys(table.groups, share) for q, share in shares.items()}

    def changed(name: str, factor: float) -> object:
        option, _, group = name.partition(".")
        new = {g: s * (factor if g == group or not group else 1) for g, s in SIGMAS[option].items()}
        return make_options(**{**SIGMAS, option: new})

    names = ["sigma_energy.Elastic", "sigma_force.AIMD-NVT", "sigma_virial.Elastic", "sigma_force"]
    errors, gradient = design.error_gradient(make_options(**SIGMAS), names, sensitivity, leave_out=leave_out)
    assert value(errors.validation) == pytest.approx(
        value(design.errors(make_options(**SIGMAS), leave_out=leave_out).validation)
    )
    h = 1e-3
    for name in names:
        up, down = (
            value(design.errors(changed(name, math.exp(s * h)), leave_out=leave_out).validation)
            for s in (1, -1)
        )
        assert gradient[name] == pytest.approx((up - down) / (2 * h), rel=2e-3, abs=1e-6)


def test_gradient_by_something_else_is_refused(design: GapDesign) -> None:
    with pytest.raises(PluginError, match="no hyperparameter of the regression"):
        design.error_gradient(make_options(), ["descriptors.1.soap.cutoff"], lambda table: {})


@pytest.mark.slow
def test_virials_left_out_of_the_regression(design: GapDesign, data: TrainingData, tmp_path: Path) -> None:
    options = make_options(virials=False)
    staged = design.fit(options, directory=tmp_path)
    (tmp_path / "whole").mkdir()
    by_gap_fit = options.model_copy(update={"engine": "gap_fit"})
    whole = GapFitter().fit(make_request(data.training(), tmp_path / "whole", options=by_gap_fit))
    one = GapPredictor().predict(staged, data.frames, directory=tmp_path)
    two = GapPredictor().predict(whole, data.frames, directory=tmp_path)
    assert np.max(np.abs(one.energies - two.energies)) / 8 < 1e-6


def test_other_descriptors_are_refused(design: GapDesign) -> None:
    with pytest.raises(PluginError, match="differ from those that were prepared"):
        design.errors(make_options(descriptors=[{"distance_2b": {}}]))


def test_memory_limit_bounds_the_sums(data: TrainingData, tmp_path: Path) -> None:
    request = make_request(data, tmp_path, limits=Limits(memory_bytes=80_000_000))
    assert GapFitter().prepare(request)._gram_bytes == 40_000_000


def test_memory_is_told_with_rows_and_sums(data: TrainingData, tmp_path: Path) -> None:
    options = make_options()
    design = GapFitter().prepare(make_request(data, tmp_path, options=options))
    rows = sum(block.nbytes for block in design._trained.kernel.blocks)
    before = design.nbytes
    assert before >= rows > 0
    design.errors(options)
    assert design._grams is not None
    assert design.nbytes == before + design._grams.nbytes


def test_second_preparation_comes_from_the_cache(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = GapFitter().prepare(make_request(data, tmp_path))
    monkeypatch.setattr("xpot_gap.gap_fit.plan.run", lambda *a, **k: pytest.fail("gap_fit ran again"))
    monkeypatch.setattr(
        "xpot_gap.native.terms.DescriptorOf.of", lambda *a, **k: pytest.fail("computed again")
    )
    second = GapFitter().prepare(make_request(data, tmp_path, options=make_options(**SIGMAS)))
    before, after = first.errors(make_options()), second.errors(make_options())
    assert before.validation == after.validation


def test_other_structures_are_not_found_in_the_cache(
    data: TrainingData, tmp_path: Path, own_cache: Path
) -> None:
    GapFitter().prepare(make_request(data.training(), tmp_path))
    count = len(list((own_cache / "gap").iterdir()))
    GapFitter().prepare(make_request(data.training(0), tmp_path))
    assert len(list((own_cache / "gap").iterdir())) == 2 * count


def test_flipped_bits_in_the_cache_change_nothing(
    data: TrainingData, tmp_path: Path, own_cache: Path
) -> None:
    """A wrong kernel gives a wrong loss that nobody would notice."""
    rng = np.random.default_rng(2)
    first = GapFitter().prepare(make_request(data.training(), tmp_path)).errors(make_options())
    for trial in range(3):
        for path in (own_cache / "gap").iterdir():
            content = bytearray(path.read_bytes())
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
            path.write_bytes(content if trial else content[:3000])
        again = GapFitter().prepare(make_request(data.training(), tmp_path)).errors(make_options())
        assert again.train == first.train
        assert any("was damaged" in note for note in again.notes)


def test_folder_of_the_user_is_left_alone(data: TrainingData, tmp_path: Path, own_cache: Path) -> None:
    GapFitter().prepare(make_request(data.training(), tmp_path))
    size = sum(entry.stat().st_size for entry in (own_cache / "gap").iterdir())
    folder = tmp_path / "mine"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "thesis.tex").write_text("years")
    os.utime(folder / "results", (1, 1))
    options = make_options(cache_dir=str(folder), cache_gb=1.5 * size / 1e9)
    for fold in range(3):
        GapFitter().prepare(make_request(data.training(fold), tmp_path, options=options))
    assert (folder / "results" / "thesis.tex").read_text() == "years"
    assert 1 <= len(list(folder.glob("*.xpotcache"))) < 6
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("cache_gb", [0, 1e-9])
def test_without_room_in_the_cache_nothing_is_kept(
    data: TrainingData, tmp_path: Path, own_cache: Path, cache_gb: float
) -> None:
    options = make_options(cache_gb=cache_gb)
    design = GapFitter().prepare(make_request(data.training(), tmp_path, options=options))
    assert not [p for p in own_cache.rglob("*") if p.is_file()]
    assert design.errors(options).train.total("force").count


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("system_Kmn.0", "1.0 2.0", "sizes that do not fit"),
        ("system_globalY.0", "1.0 NaN", "NaN|no number|sizes"),
        ("system_Kmm", None, "wrote no system_Kmm"),
    ],
)
def test_torn_dump(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    for file, content in (("Kmm", "1.0"), ("Kmn.0", "1.0"), ("globalY.0", "1.0"), ("lambda.0", "1.0")):
        (tmp_path / f"system_{file}").write_text(content)
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(FitError, match=message):
        read_dump(tmp_path / "system")


def test_unexpected_layout_is_noticed(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap_fit that orders its rows otherwise must not give wrong fits."""
    monkeypatch.setattr("xpot_gap.linear_system.rows.PROBE_SIGMAS", (0.02, 0.1, 0.3))
    with pytest.raises(FitError, match="not laid out as expected"):
        GapFitter().prepare(make_request(data, tmp_path, options=make_options(engine="gap_fit")))


def test_fold_that_does_not_exist(design: GapDesign) -> None:
    design._gram_bytes = 1e9
    with pytest.raises(PluginError, match="no fold 9"):
        design.errors(make_options(), leave_out=9)
