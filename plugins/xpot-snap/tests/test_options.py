"""Options: every tunable one must reach the backend; bad ones are refused with a reason."""

from dataclasses import replace

import pytest
from pydantic import ValidationError
from xpot_lammps_session.testing import GROUPS, small_data
from xpot_linear import energy_shifts
from xpot_snap.fitter import SnapFitter
from xpot_snap.options import SnapOptions
from xpot_snap_model.translate import descriptor_settings, reference_potential

from xpot_core.api import EVALUATE_ONLY, FitRequest, InfeasibleError, InputError, Limits
from xpot_core.options.declare import undocumented, walk_options

BASE = {
    "twojmax": 2,
    "rcutfac": 4.2,
    "vweight": 0.1,
    "sinner": 2.0,
    "chem": True,
    "reference": "zbl",
    "zbl_inner": 1.5,
    "zbl_outer": 2.5,
    "constant": False,
    "bzero": False,
}
OTHER = {
    "twojmax": 3,
    "quadratic": True,
    "rcutfac": 4.4,
    "rfac0": 0.9,
    "rmin0": 0.05,
    "wj": 0.8,
    "radelem": 0.45,
    "chem": False,
    "bnorm": True,
    "wselfall": True,
    "bzero": True,
    "sinner": 2.2,
    "dinner": 0.3,
    "zbl_inner": 1.8,
    "zbl_outer": 3.0,
    "boltzmann_temperature": 3000.0,
    "eweight": 20.0,
    "fweight": 3.0,
    "vweight": 0.3,
    "ridge": 1e-3,
    "absolute_ridge": 1e-3,
}
EXPANDED = [
    f"{name}.{key}" for name in ("twojmax", "wj", "radelem", "sinner", "dinner") for key in ("In", "P")
] + [f"{name}.{key}" for name in ("eweight", "fweight", "vweight") for key in ("bulk", "strained")]


def fitted_numbers(options, data, folder):
    potential = SnapFitter().fit(FitRequest(options, data, folder))
    return "".join(potential.path(role).read_text() for role in potential.files)


@pytest.fixture(scope="module")
def data():
    return small_data(9, 0, 0)


@pytest.fixture(scope="module")
def unperturbed(data, tmp_path_factory):
    return fitted_numbers(SnapOptions(**BASE), data, tmp_path_factory.mktemp("base"))


def test_every_tunable_option_is_tried_here():
    tunable = {o.path for o in walk_options(SnapOptions) if o.info.tunable}
    assert tunable == set(OTHER)


@pytest.mark.parametrize("name", list(OTHER))
def test_every_tunable_option_reaches_the_potential(name, data, unperturbed, tmp_path):
    assert fitted_numbers(SnapOptions(**{**BASE, name: OTHER[name]}), data, tmp_path) != unperturbed


@pytest.mark.parametrize("path", EXPANDED)
def test_every_expanded_option_reaches_the_potential(path, data, unperturbed, tmp_path):
    name, _, key = path.partition(".")
    defaults = getattr(SnapOptions(**BASE), name)
    every = dict.fromkeys(GROUPS if name.endswith("weight") else data.elements, defaults)
    assert fitted_numbers(SnapOptions(**{**BASE, name: every}), data, tmp_path) == unperturbed
    every[key] = OTHER[name]
    assert fitted_numbers(SnapOptions(**{**BASE, name: every}), data, tmp_path) != unperturbed


def test_declaration_is_complete():
    assert undocumented(SnapOptions) == []
    stages = {o.path: o.info.stage for o in walk_options(SnapOptions)}
    assert all(stages.values()), stages


def test_published_ranges():
    ranges = {o.path: o.info.tune for o in walk_options(SnapOptions) if o.info.tune}
    values = {k: (r.min, r.max, r.log) for k, r in ranges.items()}
    assert values["rcutfac"] == (2.5, 8.0, False)
    assert values["rfac0"] == (0.6, 1.6, False)
    assert values["rmin0"] == (0.0, 0.1, False)
    assert values["wj"] == (0.2, 2.0, False)
    assert values["eweight"] == (10.0, 1e5, True)
    assert values["fweight"] == (0.1, 100.0, True)
    defaults = SnapOptions()
    assert (defaults.rcutfac, defaults.rfac0, defaults.rmin0, defaults.eweight, defaults.fweight) == (
        4.0,
        0.994,
        0.0,
        100.0,
        1.0,
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"zbl_inner": 5.0}, "must be below zbl_outer"),
        ({"reference": "lammps"}, "needs pair_style"),
        ({"pair_style": "zbl 1 2"}, "only with reference"),
        ({"radelem": 0.0}, "radelem"),
        ({"rcutfac": -1.0}, "rcutfac"),
        ({"twojmax": 99}, "twojmax"),
        ({"eweight": -1.0}, "eweight"),
        ({"twojmx": 6}, "twojmx"),
    ],
)
def test_bad_options_are_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        SnapOptions(**bad)


def test_missing_group_or_element_is_named():
    with pytest.raises(InputError, match=r"element P"):
        descriptor_settings(SnapOptions(wj={"In": 1.0}), ("In", "P"))


@pytest.mark.parametrize(
    ("style", "coeff", "styles", "lines"),
    [
        ("zbl 1.0 2.0", ["* * 14 14"], ("zbl 1.0 2.0",), ("* * zbl 14 14",)),
        (
            "hybrid/overlay zero 10.0 zbl 4.0 4.8",
            ["* * zero", "1 1 zbl 49 49"],
            ("zbl 4.0 4.8",),
            ("1 1 zbl 49 49",),
        ),
        ("zero 10.0", ["* *"], (), ()),
    ],
)
def test_lammps_reference(style, coeff, styles, lines):
    options = SnapOptions(reference="lammps", pair_style=style, pair_coeff=coeff)
    reference = reference_potential(options, ("In",))
    assert (reference.styles, reference.coefficients) == (styles, lines)


def test_plain_hybrid_is_refused():
    options = SnapOptions(reference="lammps", pair_style="hybrid zbl 1 2", pair_coeff=[])
    with pytest.raises(InputError, match="overlap"):
        reference_potential(options, ("In",))


def test_lammps_reference_equals_zbl(data, tmp_path):
    own = SnapOptions(twojmax=2, rcutfac=4.2, reference="zbl", zbl_inner=1.5, zbl_outer=2.5)
    same = SnapOptions(
        twojmax=2,
        rcutfac=4.2,
        reference="lammps",
        pair_style="zbl 1.5 2.5",
        pair_coeff=["1 1 49 49", "1 2 49 15", "2 2 15 15"],
    )
    assert fitted_numbers(own, data, tmp_path) == fitted_numbers(same, data, tmp_path)


def test_energy_shift_is_given_back(data, tmp_path):
    # with constants in the fit a shift changes nothing but rounding
    plain = SnapFitter().fit(FitRequest(SnapOptions(twojmax=2), data, tmp_path))
    first = _coefficients(plain)
    shifted = SnapFitter().fit(
        FitRequest(SnapOptions(twojmax=2, energy_shift={"In": 3.0, "P": -1.0}), data, tmp_path)
    )
    assert _coefficients(shifted) == pytest.approx(first, rel=1e-5, abs=1e-7)
    assert energy_shifts(SnapOptions(energy_shift={"In": 3.0}), data) == {"In": 3.0, "P": 0.0}
    with pytest.raises(InputError, match="Si does not occur"):
        energy_shifts(SnapOptions(energy_shift={"Si": 1.0}), data)


def _coefficients(potential):
    lines = potential.path("coefficients").read_text().splitlines()[2:]
    return [float(line) for line in lines if len(line.split()) == 1]


def test_energies_that_are_only_evaluated_move_no_boltzmann_weight(tmp_path):
    options = SnapOptions(twojmax=2, boltzmann_temperature=3000.0)
    data = small_data(9, 3, 3)
    lower = tuple(
        replace(f, energy=f.energy - 6.0) if fold == EVALUATE_ONLY else f
        for f, fold in zip(data.frames, data.folds, strict=True)
    )
    alone = fitted_numbers(options, data.training(), tmp_path)
    assert fitted_numbers(options, replace(data, frames=lower), tmp_path) == alone


def test_too_little_memory_is_infeasible(data, tmp_path):
    request = FitRequest(
        SnapOptions(twojmax=10, quadratic=True), data, tmp_path, limits=Limits(memory_bytes=10**8)
    )
    with pytest.raises(InfeasibleError, match="GB"):
        SnapFitter().prepare(request)
