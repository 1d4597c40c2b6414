"""The native engine computes what gap_fit computes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from gap_cases import Ending, make_data, make_frame, make_options, make_request
from xpot_gap.fitter import GapFitter
from xpot_gap.gap_fit import by_gap_fit, xml
from xpot_gap.gap_fit.plan import Plan
from xpot_gap.native import build as native
from xpot_gap.native.choose import NESTED, choose, choose_cur, choose_uniform, distinct
from xpot_gap.native.columns import KeptColumns
from xpot_gap.native.descriptors import by_quippy
from xpot_gap.native.passes import ahead
from xpot_gap.native.passes.forecast import forecast
from xpot_gap.native.passes.work import Structure, Task
from xpot_gap.native.terms import DescriptorOf, read_terms
from xpot_gap.options import GapOptions
from xpot_gap.potential.predictor import GapPredictor
from xpot_linear import run_tasks

from xpot_core.api import BoundedCache, FitError, FitRequest, Frame, InfeasibleError, Limits, TrainingData

pytest.importorskip("quippy")

DESCRIPTORS = {
    "distance_2b": {
        "cutoff": 4.3,
        "cutoff_transition_width": 0.7,
        "n_sparse": 9,
        "theta_uniform": 0.8,
        "delta": 2.0,
    },
    "angle_3b": {"cutoff": 3.3, "n_sparse": 12, "theta_fac": 0.7, "delta": 0.2},
    "soap": {
        "cutoff": 3.9,
        "n_max": 5,
        "l_max": 3,
        "n_sparse": 12,
        "zeta": 3,
        "atom_sigma": 0.4,
        "delta": 0.4,
    },
    "soap_turbo": {
        "rcut_hard": 4.2,
        "rcut_width": 0.6,
        "alpha_max": 5,
        "l_max": 4,
        "n_sparse": 12,
        "zeta": 2,
        "central_weight": 0.7,
        "atom_sigma_r_scaling": 0.1,
    },
    "distance_Nb": {"order": 3, "cutoff": 2.9, "n_sparse": 7, "theta_fac": 0.6, "delta": 0.7},
}
DISTANCES = {"cutoff": 4.3, "n_sparse": 9, "delta": 0.6}
FORMS: list[tuple[str, dict[str, object]]] = [
    *DESCRIPTORS.items(),
    ("distance_2b", {**DISTANCES, "covariance_type": "pp", "theta_uniform": 1.3}),
    ("distance_2b", {**DISTANCES, "covariance_type": "dot_product", "zeta": 2}),
    ("angle_3b", {"cutoff": 3.3, "n_sparse": 12, "covariance_type": "pp", "theta_fac": 0.7}),
    ("angle_3b", {"cutoff": 3.0, "n_sparse": 8, "covariance_type": "dot_product", "zeta": 3}),
    ("distance_Nb", {**DISTANCES, "order": 2, "covariance_type": "pp", "theta_fac": 0.4}),
    ("distance_Nb", {"order": 3, "cutoff": 2.9, "n_sparse": 7, "covariance_type": "dot_product", "zeta": 2}),
    ("distance_Nb", {"order": 3, "cutoff": 2.8, "n_sparse": 7, "compact_clusters": False}),
    ("soap", {**DESCRIPTORS["soap"], "covariance_type": "ard_se", "zeta": 4, "theta_uniform": 0.4}),
    ("soap", {**DESCRIPTORS["soap"], "covariance_type": "pp", "zeta": 4, "theta_fac": 1.5}),
]


def odd_frames() -> tuple[Frame, ...]:
    """A cell smaller than every cutoff, a cluster, a slab, masked forces, and frames that lack something."""
    frames = make_data(6, elements=("Cu", "Al")).frames
    small = Frame(
        Atoms("CuAl", positions=[[0, 0, 0], [1.9, 1.7, 1.8]], cell=[3.0, 3.1, 3.2], pbc=True),
        1.0,
        np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]]),
        0.1 * np.eye(3),
        "Elastic",
        "small",
    )
    cluster = Frame(
        Atoms("Cu3", positions=[[0, 0, 0], [2.4, 0, 0], [0.2, 2.5, 0.3]]),
        2.0,
        np.ones((3, 3)),
        None,
        "Elastic",
        "cluster",
    )
    slab = make_frame(9, "Elastic", ("Cu", "Al"))
    slab.atoms.pbc = (True, True, False)
    mask = np.arange(8) % 3 > 0
    return (
        *frames[:3],
        small,
        cluster,
        replace(slab, virial=None),
        replace(frames[3], force_mask=mask),
        replace(frames[4], energy=None),
        replace(frames[5], forces=None, virial=None),
    )


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_rows_are_those_of_gap_fit(
    tmp_path: Path, kind: str, form: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = odd_frames()
    data = TrainingData(frames, (-1,) * len(frames), ("Al", "Cu"), ("AIMD-NVT", "Elastic"))
    options = make_options(
        descriptors=[{kind: form}],
        e0={"Cu": -0.3, "Al": 0.2},
        sparse_jitter=1e-7,
        sparse_selection="gap_fit",
    )
    request = make_request(data, tmp_path, options=options)
    plan = Plan.make(request, data)
    theirs = by_gap_fit.build(plan, request, frames, None)
    monkeypatch.setattr(native, "_chosen_by_gap_fit", lambda *a: theirs.text)
    ours, _ = native.build(plan, request, frames, (), KeptColumns(BoundedCache(tmp_path, 0)))
    kernel = theirs.kernel[:]
    assert ours.kernel.shape == theirs.kernel.shape
    # of a hundred coordinates the polynomial is a needle: its slope is a thousand times its value
    tolerance = 1e-8 if (kind, form.get("covariance_type")) == ("soap", "pp") else 1e-12
    assert np.abs(ours.kernel[:] - kernel).max() < tolerance * np.abs(kernel).max()
    assert np.allclose(ours.target, theirs.target, rtol=1e-10, atol=1e-10)
    assert np.abs(ours.sparse - theirs.sparse).max() < 1e-12 * np.abs(theirs.sparse).max()


@pytest.mark.parametrize("order", [2, 3])
def test_rows_of_pp_are_derivatives_of_its_energy(tmp_path: Path, order: int) -> None:
    """gap_fit's own rows are not, for three equal atoms and more: it adds a term with the wrong sign."""
    data = make_data(6, elements=("Cu", "Al"), folds=[-1] * 4 + [-2] * 2)
    form = {"order": order, "cutoff": 2.9, "n_sparse": 7, "covariance_type": "pp", "theta_fac": 0.9}
    options = make_options(descriptors=[{"distance_Nb": form}], e0="average")
    design = GapFitter().prepare(make_request(data, tmp_path, options=options))
    potential = design.fit(options, directory=tmp_path)
    predicted = GapPredictor().predict(potential, data.frames[4:], directory=tmp_path)
    errors = design.errors(options).validation
    forces = [p - f.forces for p, f in zip(predicted.forces, data.frames[4:], strict=True)]
    assert np.sqrt(np.mean(np.square(forces))) == pytest.approx(errors.total("force").rmse, rel=1e-9)


def test_own_sparse_points_fit_as_well_as_those_of_gap_fit(tmp_path: Path) -> None:
    data = make_data(12, folds=[-1] * 9 + [-2] * 3)
    found = {}
    for selection in ("native", "gap_fit"):
        folder = tmp_path / selection
        folder.mkdir()
        options = make_options(sparse_selection=selection)
        design = GapFitter().prepare(make_request(data, folder, options=options))
        found[selection] = design.errors(options).validation.total("force").rmse
    assert found["native"] == pytest.approx(found["gap_fit"], rel=0.25)
    assert found["native"] != found["gap_fit"]


def test_potential_is_read_by_quippy_as_it_was_written(tmp_path: Path) -> None:
    """Many coordinates and long numbers: QUIP's reader gets the text in pieces."""
    data = make_data(6, elements=("Cu", "Al"), folds=[-1] * 5 + [-2])
    options = make_options(descriptors=[{"soap": {"n_max": 7, "l_max": 5, "n_sparse": 16}}], e0="average")
    design = GapFitter().prepare(make_request(data, tmp_path, options=options))
    potential = design.fit(options, directory=tmp_path)
    frame = data.frames[5]
    predicted = GapPredictor().predict(potential, [frame], directory=tmp_path)
    error = abs(predicted.energies[0] - frame.energy) / frame.n_atoms
    assert error == pytest.approx(design.errors(options).validation.total("energy").rmse, rel=1e-6)


def test_points_of_a_potential_survive_its_text(tmp_path: Path) -> None:
    data = make_data(4)
    potential = GapFitter().fit(make_request(data, tmp_path))
    text = potential.path("potential").read_text()
    terms = read_terms(text)
    assert [len(term.points) for term in terms] == xml.sparse_counts(text) == [10, 20]
    assert terms[0].kernel.theta is not None
    assert terms[1].kernel.zeta == 4


def test_equal_environments_count_once() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((20, 3))
    repeated = np.vstack([values, values[::-1] + 1e-12, values[:5]])
    assert len(distinct(repeated)) == 20
    assert len(choose("none", repeated, np.zeros(45, dtype=int), 0, 1)) == 20


def test_uniform_takes_every_cell_of_the_grid() -> None:
    values = np.linspace(0, 1, 200)[:, None] ** 3
    chosen = choose_uniform(values, 10, np.random.default_rng(1))
    assert len(set(chosen.tolist())) == 10
    cells = np.rint(values[chosen, 0] * 9)
    assert len(set(cells.tolist())) == 10


def test_cur_prefers_what_is_rare() -> None:
    rng = np.random.default_rng(2)
    common = np.outer(rng.random(400), [1.0, 1.0, 0.0, 0.0])
    rare = 5 * rng.random((4, 4))
    values = np.vstack([common, rare])
    hits = [np.isin(range(400, 404), choose_cur(values, 8, np.random.default_rng(s))).sum() for s in range(5)]
    assert np.mean(hits) > 2


@pytest.mark.parametrize("wanted", [10_000, {"Elastic": 10_000, "AIMD-NVT": 0}])
def test_too_many_sparse_points(tmp_path: Path, wanted: object) -> None:
    options = make_options(descriptors=[{"soap": {"n_max": 3, "l_max": 2, "n_sparse": wanted}}])
    with pytest.raises(InfeasibleError, match="10000 sparse points wanted, the data has 32 environments"):
        GapFitter().fit(make_request(make_data(4), tmp_path, options=options))


def test_core_potential_that_is_not_there(tmp_path: Path) -> None:
    options = make_options(core_param_file=str(tmp_path / "none.xml"), core_ip_args="IP Glue")
    with pytest.raises(Exception, match="no such file") as caught:
        GapFitter().fit(make_request(make_data(2), tmp_path, options=options))
    assert type(caught.value).__name__ == "InputError"


@pytest.mark.parametrize("method", NESTED)
def test_fewer_points_are_the_first_ones_of_more(method: str) -> None:
    values = np.random.default_rng(3).random((50, 6))
    few, many = (choose(method, values, np.zeros(50, dtype=int), n, 1) for n in (7, 20))
    assert few.tolist() == many[:7].tolist()


SOAP = {"cutoff": 4.0, "n_max": 3, "l_max": 2, "n_sparse": 20, "sparse_method": "cur_points"}
KERNELS = [{"delta": 0.3}, {"zeta": 3}, {"n_sparse": 9}, {"n_sparse": 13, "zeta": 5, "delta": 2.0}]


def with_soap(**changed: object) -> GapOptions:
    return make_options(
        descriptors=[{"distance_2b": {"cutoff": 4.0, "n_sparse": 8}}, {"soap": SOAP | changed}]
    )


@pytest.mark.parametrize(("cache_gb", "tuned"), [(0, ()), (1, ()), (0, ("descriptors.1.soap.zeta",))])
def test_other_kernels_need_no_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_gb: int, tuned: tuple[str, ...]
) -> None:
    """After a second zeta, or at once where the study searches for it: rows for the others are made with it."""
    data = make_data(8, folds=[-1] * 6 + [-2] * 2)

    def request(changed: Mapping[str, object]) -> FitRequest:
        options = with_soap(**changed).model_copy(update={"cache_gb": cache_gb})
        return make_request(data, tmp_path, options=options, tuned=frozenset(tuned))

    fresh = [GapFitter().prepare(request(k)).errors(request(k).options) for k in KERNELS]
    first = GapFitter().prepare(request({}))
    design = first if tuned else first.with_kernel(request({"zeta": 2}))
    monkeypatch.setattr(
        "xpot_gap.native.terms.DescriptorOf.of", lambda *a, **k: pytest.fail("computed again")
    )
    for changed, expected in zip(KERNELS, fresh, strict=True):
        design = design.with_kernel(request(changed))
        found = design.errors(request(changed).options)
        for quantity in ("energy", "force", "virial"):
            same = expected.validation.total(quantity).rmse
            assert found.validation.total(quantity).rmse == pytest.approx(same, rel=1e-6)
        assert design.seconds["kernel"] >= 0.0


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    data = make_data(60, elements=("Cu", "Al"))
    options = make_options(cache_gb=0, e0="average")
    one, two = (
        GapFitter().prepare(make_request(data, tmp_path, options=options, threads=n)).errors(options)
        for n in (1, 2)
    )
    assert one.train == two.train


@pytest.mark.parametrize(("room", "passes"), [(8e8, 1), (0, 2)])
def test_descriptors_are_computed_once_where_they_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: float, passes: int
) -> None:
    monkeypatch.setattr("xpot_gap.native.passes.all_structures.AHEAD_BYTES", room)
    calls = []
    of = DescriptorOf.of

    def counted(self: DescriptorOf, atoms: Atoms, *, gradients: bool) -> object:
        calls.append(gradients)
        return of(self, atoms, gradients=gradients)

    monkeypatch.setattr(DescriptorOf, "of", counted)
    GapFitter().prepare(make_request(make_data(4), tmp_path, options=make_options(cache_gb=0)))
    assert len(calls) == passes * 8  # two descriptors of four structures
    assert not ahead.room(0)
    assert ahead.room(1)


def test_what_quippy_does_not_free_ends_with_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = make_options(cache_gb=0)
    here = GapFitter().prepare(make_request(make_data(4), tmp_path, options=options))
    before = by_quippy.lost()
    assert before > 0
    monkeypatch.setattr("xpot_gap.native.passes.all_structures.MOST_LOST", -1.0)
    apart = GapFitter().prepare(make_request(make_data(4), tmp_path, options=options))
    assert by_quippy.lost() == before
    assert apart.errors(options).validation.to_json() == here.errors(options).validation.to_json()
    assert apart.errors(options).train.to_json() == here.errors(options).train.to_json()


@pytest.mark.slow
def test_structure_that_ends_the_process_is_named(tmp_path: Path) -> None:
    work = Ending(DescriptorOf("distance_2b cutoff=4.0"))
    structures = [Structure(Atoms("H"), True, None, False, f"frame {i}") for i in range(2)]
    tasks = [Task([s], slice(0, 1), slice(0, 0)) for s in structures]
    with pytest.raises(FitError, match=r"crashed twice \(exit status 3.*the structures frame [01]"):
        list(run_tasks(work, tasks, 2))


def test_long_design_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpot_gap.native.passes.all_structures._SECONDS_BETWEEN_WORDS", 0.0)
    said: list[str] = []
    request = make_request(make_data(60), tmp_path, options=make_options(cache_gb=0))
    begin = time.perf_counter()
    design = GapFitter().prepare(replace(request, progress=said.append))
    took = time.perf_counter() - begin
    first = re.match(r"kernel of 60 structures, 480 atoms: about (\d+) s, [\d.e-]+ GB of memory", said[0])
    assert first
    assert int(first[1]) <= 5 * took + 5
    assert any("of 480 atoms, about" in text for text in said[1:])
    said.clear()
    design.with_kernel(replace(request, progress=said.append))
    assert not any("GB of memory" in text for text in said)  # all is there


def test_forecast_counts_the_kernel_and_tries_no_large_part() -> None:
    structures = [Structure(a, True, np.ones(8, dtype=bool), False) for a in (bulk("Si", cubic=True),) * 3]
    request = FitRequest(GapOptions(), make_data(6), Path("."))
    found = forecast([(DescriptorOf("distance_2b cutoff=4.0 Z1=14 Z2=14"), 0.0, 5)], structures, request)
    assert found.kernel == 8 * 5 * 3 * (1 + 24)
    assert found.seconds is None
    many = forecast([(DescriptorOf("distance_2b cutoff=4.0 Z1=14 Z2=14"), 0.0, 5)], structures * 20, request)
    assert many.seconds is not None
    assert many.beside > many.kernel / 60


def test_more_memory_than_the_study_allows(tmp_path: Path) -> None:
    request = make_request(make_data(6), tmp_path, limits=Limits(memory_bytes=20_000))
    with pytest.raises(InfeasibleError, match=r"the kernel would need 0.00 GB of memory"):
        GapFitter().prepare(request)
