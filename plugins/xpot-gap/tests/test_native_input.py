"""The way back to gap_fit: what is exported makes the same fit there, and comes back as the same study."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from gap_cases import make_data, make_options, make_request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xpot_gap.fitter import GapFitter
from xpot_gap.gap_fit.command import describe_descriptors, gap_fit_arguments, safe_names
from xpot_gap.gap_fit.data_file import write_data_file
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.gap_fit.settings import write_settings
from xpot_gap.gap_fit.sigmas import sigma_arguments
from xpot_gap.importing.study import study_from_source
from xpot_gap.options import GapOptions
from xpot_gap.potential.native_input import gap_fit_input
from xpot_gap.potential.predictor import GapPredictor

from xpot_core.api import ExportRequest, InputError, TrainingData

DESCRIPTORS = [
    {"distance_2b": {"cutoff": 4.5, "n_sparse": 10}},
    {"distance_Nb": {"order": 3, "cutoff": 3.0, "n_sparse": 5, "theta_uniform": 1.3}},
    {
        "soap": {
            "cutoff": 4.0,
            "n_max": 4,
            "l_max": 3,
            "n_sparse": {"Elastic": 5, "AIMD-NVT": 3},
            "central_weight": 0.5,
            "more": {"cutoff_rate": 2.0},
        }
    },
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["gap_fit", "native"])
def test_export_fits_the_same_in_gap_fit(tmp_path: Path, engine: str) -> None:
    data = make_data(6)
    chosen = DESCRIPTORS if engine == "gap_fit" else [DESCRIPTORS[0], DESCRIPTORS[2]]
    options = make_options(
        descriptors=chosen,
        engine=engine,
        sparse_selection="gap_fit",
        sigma_energy={"Elastic": 0.001, "AIMD-NVT": 0.01},
        e0_offset=0.1,
    )
    request = make_request(data, tmp_path, options=options)
    potential = GapFitter().fit(request)
    assert set(gap_fit_input(ExportRequest(potential, tmp_path, options, data))) == {
        "gap_fit/gap_fit.settings",
        "gap_fit/train.xyz",
    }
    # What the log says is what gap_fit takes, there and in the export.
    command = shlex.split((tmp_path / "fit.log").read_text().partition("This fit as one command:\n")[2])
    assert "config_type_sigma={Elastic:0.001:0.05:0.1:0.0:AIMD-NVT:0.01:0.05:0.1:0.0}" in command
    one = GapPredictor().predict(potential, data.frames, directory=tmp_path)
    for folder, arguments in (
        (tmp_path, command[1:]),
        (tmp_path / "gap_fit", command[1:]),
        (tmp_path / "gap_fit", ["config_file=gap_fit.settings"]),
    ):
        (folder / "gap.xml").unlink(missing_ok=True)
        subprocess.run([gap_fit_program(), *arguments], cwd=folder, capture_output=True, check=True)
        theirs = potential.from_files("gap-xml", folder, {"potential": "gap.xml"}, ("Cu",))
        two = GapPredictor().predict(theirs, data.frames, directory=tmp_path)
        for frame, a, b in zip(data.frames, one.energies, two.energies, strict=True):
            assert abs(a - b) / frame.n_atoms < 1e-6
        for a, b in zip(one.forces, two.forces, strict=True):
            assert abs(a - b).max() < 1e-5


def test_import_of_an_export_is_the_same_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data(6)
    options = make_options(
        descriptors=DESCRIPTORS, engine="gap_fit", sigma_energy={"Elastic": 0.001, "AIMD-NVT": 0.01}
    )
    potential = GapFitter().fit(make_request(data, tmp_path, options=options))
    gap_fit_input(ExportRequest(potential, tmp_path, options, data))
    monkeypatch.chdir(tmp_path / "gap_fit")
    found = study_from_source("gap_fit.settings")
    assert not found.lost
    back = GapOptions.model_validate(found.study["fitter"]["gap"])
    assert back.descriptors == options.descriptors
    assert found.study["seed"] == 3
    assert _arguments(back, data) == _arguments(options, data)


def _arguments(chosen: GapOptions, data: TrainingData) -> list[str]:
    assert isinstance(chosen.e0, dict)
    names = safe_names(data.groups)
    return gap_fit_arguments(
        chosen,
        describe_descriptors(chosen, data.elements, names),
        sigmas=sigma_arguments(chosen, names),
        e0=chosen.e0,
        seed=3,
        data_file="train.xyz",
        xml_file="gap.xml",
    )


GROUPS, ELEMENTS = ("a", "b", "c"), ("Al", "Cu")


def _number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high) | st.floats(low, high).map(lambda x: max(low, round(x, 2)))


@st.composite
def fits(draw: st.DrawFn) -> GapOptions:
    """Options of a fit to two elements and three groups."""

    def species(n: int) -> dict[str, Any]:
        one = st.lists(st.sampled_from((*ELEMENTS, "any")), min_size=n, max_size=n)
        chosen = draw(st.none() | st.just("any") | one.map(lambda s: sorted(s, key=("any", *ELEMENTS).index)))
        return {} if chosen is None or set(chosen) == {"any"} else {"species": chosen}

    def points() -> dict[str, Any]:
        shared = draw(pooled)
        if draw(st.booleans()):
            return {"n_sparse": draw(st.integers(1, 90))}
        numbers = {g: 0 if g in pool else draw(st.integers(1, 90)) for g in GROUPS}
        return {"n_sparse": numbers} | (
            {"pool": draw(st.integers(1, 9)), "pool_groups": pool} if shared else {}
        )

    pool = draw(st.sampled_from(([], ["b", "c"])))
    pooled = st.booleans() if pool else st.just(False)
    fading = {
        "cutoff": _number(2, 8),
        "cutoff_transition_width": _number(0.3, 1.5),
        "delta": _number(0.01, 9),
    }
    scale = st.fixed_dictionaries({"theta_uniform": _number(0.3, 2)}) | st.fixed_dictionaries(
        {"theta_fac": _number(0.1, 2)}
    )
    descriptors: list[dict[str, Any]] = []
    for kind in draw(
        st.lists(st.sampled_from(("distance_2b", "angle_3b", "distance_Nb", "soap")), min_size=1, max_size=3)
    ):
        chosen = {key: draw(value) for key, value in fading.items()} | points()
        if kind == "soap":
            chosen |= {
                "n_max": draw(st.integers(1, 9)),
                "l_max": 3,
                "zeta": draw(st.integers(1, 6)),
            } | draw(st.sampled_from((species(1), {"shared_by": ["Cu", "Al"]})))
            chosen |= draw(
                st.sampled_from(
                    ({}, {"neighbours": ["Cu", "Al"]}, {"neighbours": ["Cu"]}, {"neighbours": "any"})
                )
            )
            chosen |= {
                "normalise": draw(st.booleans()),
                "more": draw(st.sampled_from(({}, {"cutoff_rate": 2.0}))),
            }
        else:
            order = (
                draw(st.integers(2, 3)) if kind == "distance_Nb" else {"distance_2b": 2, "angle_3b": 3}[kind]
            )
            scales = draw(scale)
            if order == 3 and draw(st.booleans()):
                scales = {"theta_factors": draw(st.lists(_number(0.1, 2), min_size=3, max_size=3))}
            chosen |= scales | species(order) | ({"order": order} if kind == "distance_Nb" else {})
            chosen |= {"covariance_type": draw(st.sampled_from(("ard_se", "pp")))}
        descriptors.append({kind: chosen})
    sigma = _number(0.001, 1) | st.fixed_dictionaries(dict.fromkeys(GROUPS, _number(0.001, 1)))
    energy = draw(sigma)
    if pool and isinstance(energy, dict):  # or they stand with the frames
        energy |= dict.fromkeys(pool, 0.1)
    return GapOptions.model_validate(
        {
            "descriptors": descriptors,
            "sigma_energy": energy,
            "e0": {s: draw(_number(-9, 9)) for s in ELEMENTS},
            "engine": "gap_fit",
        }
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fits())
def test_import_of_random_exports_is_the_same_fit(options: GapOptions) -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        data = make_data(6, groups=GROUPS, elements=ELEMENTS)
        write_data_file(Path("train.xyz"), data.frames, safe_names(data.groups), virials=True, cutoff=4.0)
        try:
            arguments = _arguments(options, data)
        except InputError:  # gap_fit has no room for them
            return
        write_settings(Path("settings"), arguments)
        found = study_from_source("settings")
        back = GapOptions.model_validate(found.study["fitter"]["gap"])
        assert not found.lost
        assert _arguments(back, data) == arguments
        if all(
            d.chosen.species is None and not getattr(d.chosen, "neighbours", None)
            for d in options.descriptors
        ):
            assert back.descriptors == options.descriptors
