"""From the options block of a study file to hyperparameters and back."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpot_core.errors import InputError
from xpot_core.options.check import validate_options
from xpot_core.options.declare import (
    OptionsModel,
    PerElement,
    PerGroup,
    PerPair,
    Range,
    option,
    pair_name,
    resolve,
    undocumented,
    walk_options,
)
from xpot_core.space.as_json import space_from_json, space_to_json
from xpot_core.space.parameters import Choice, Float, Int, Space
from xpot_core.space.read import build_space, inherited_scales

GROUPS, ELEMENTS = ("bulk", "v1.2 melt", "surface"), ("Ge", "Si")


class Soap(OptionsModel):
    cutoff: float = option(4.0, "Cutoff.", unit="Å", tune=Range(2.5, 8.0), stage="descriptors", gt=0)
    n_max: int = option(8, "Radial functions.", converges=True, stage="descriptors", ge=1, le=20)
    zeta: int = option(4, "Power.", tune=Range(2, 6), stage="descriptors", ge=1)
    method: Literal["cur", "random"] = option("cur", "How.", choices=("cur", "random"))


class Pair(OptionsModel):
    cutoff: float = option(4.0, "Cutoff.", unit="Å", tune=Range(2.5, 8.0), gt=0)


class Term(OptionsModel):
    soap: Soap | None = option(None, "SOAP.")
    pair: Pair | None = option(None, "Pairs.")


class Model(OptionsModel):
    """Like GAP's options: nested models, lists of models, options per group and per element."""

    terms: list[Term] = option(list, "Terms.")
    extra: Soap = option(Soap, "A nested model.")
    sigma: PerGroup[float] = option(
        0.01, "Sigma.", tune=Range(0.001, 0.1, log=True), per="group", stage="regression", gt=0
    )
    wj: PerElement[float] = option(1.0, "Weight.", tune=Range(0.2, 2.0), per="element")
    both: float | dict[str, float] = option(1.0, "Both.", tune=Range(0, 1), per=("group", "element"))
    apart: PerPair[float] = option(2.0, "Distance.", tune=Range(1, 3), per="pair", gt=0)
    order: PerGroup[int] = option(3, "Order.", tune=Range(1, 5), per="group", ge=1)
    radii: list[float] = option(lambda: [1.0, 2.0], "Radii.", tune=Range(0.5, 3.0))
    layers: list[int] = option(lambda: [8], "Layers.", choices=([8], [16, 16]))
    flag: bool = option(False, "Flag.")
    solver: Literal["svd", "qr"] = option("svd", "Solver.")
    shift: float | None = option(None, "Shift.", tune=Range(0, 1))
    name: str = option("x", "Name.")
    cost: int = option(5, "Dearer.", converges=True)
    file: str = option("f", "A file.", tunable=False)
    free: float = option(1.0, "No range.")
    table: dict[str, float] = option(dict, "A table.")


def space_of(raw: dict[str, Any]) -> Space:
    return build_space(Model, raw, groups=GROUPS, elements=ELEMENTS)


# -- from the study file ---------------------------------------------------------------------------


def test_everything_fixed_is_an_empty_space() -> None:
    space = space_of({"sigma": 0.5, "radii": [1, 2, 3], "terms": [{"pair": {"cutoff": 3}}]})
    assert len(space) == 0
    options = validate_options(Model, space.options({}))
    assert options.terms[0].pair.cutoff == 3.0  # type: ignore[attr-defined]


def test_names_kinds_stages_and_ranges() -> None:
    space = space_of(
        {
            "terms": [
                {"soap": {"cutoff": "tune", "n_max": {"min": 4, "max": 12}}},
                {"pair": {"cutoff": {"tune": True}}},
            ],
            "extra": {"zeta": "tune", "method": "tune"},
            "sigma": {"tune": True, "per": "group"},
            "wj": {"min": 0.5, "max": 1.5, "per": "element"},
            "radii": ["tune", 2.0, {"min": 1, "max": 2}],
            "layers": "tune",
            "flag": "tune",
            "shift": "tune",
            "solver": {"choices": ["svd", "qr"]},
        }
    )
    assert space.names == (
        "terms.0.soap.cutoff",
        "terms.0.soap.n_max",
        "terms.1.pair.cutoff",
        "extra.zeta",
        "extra.method",
        "sigma.bulk",
        "sigma.v1.2 melt",
        "sigma.surface",
        "wj.Ge",
        "wj.Si",
        "radii.0",
        "radii.2",
        "layers",
        "flag",
        "shift",
        "solver",
    )
    assert space["terms.0.soap.cutoff"] == Float("terms.0.soap.cutoff", 2.5, 8.0, stage="descriptors")
    assert space["terms.0.soap.n_max"] == Int("terms.0.soap.n_max", 4, 12, stage="descriptors")
    assert space["extra.zeta"] == Int("extra.zeta", 2, 6, stage="descriptors")
    assert space["sigma.bulk"] == Float("sigma.bulk", 0.001, 0.1, log=True, stage="regression")
    assert space["wj.Si"] == Float("wj.Si", 0.5, 1.5)
    assert space["layers"] == Choice("layers", ([8], [16, 16]))
    assert space["flag"] == Choice("flag", (False, True))


def test_every_value_arrives_in_the_options() -> None:
    space = space_of(
        {
            "terms": [{"soap": {"cutoff": "tune"}}],
            "sigma": {"bulk": 1.0, "v1.2 melt": "tune", "surface": {"min": 2, "max": 3}},
            "radii": ["tune", "tune"],
            "order": {"tune": True, "per": "group"},
            "both": {"per": "element", "min": 0.1, "max": 0.2},
        }
    )
    values = space.from_unit([0.1 + 0.05 * i for i in range(len(space))])
    options = validate_options(Model, space.options(values)).model_dump()
    assert options["terms"][0]["soap"]["cutoff"] == values["terms.0.soap.cutoff"]
    assert options["sigma"] == {
        "bulk": 1.0,
        "v1.2 melt": values["sigma.v1.2 melt"],
        "surface": values["sigma.surface"],
    }
    assert options["radii"] == [values["radii.0"], values["radii.1"]]
    assert options["order"] == {g: values[f"order.{g}"] for g in GROUPS}
    assert options["both"] == {e: values[f"both.{e}"] for e in ELEMENTS}


def test_values_must_be_complete_and_known() -> None:
    space = space_of({"free": {"min": 1, "max": 2}})
    with pytest.raises(KeyError):
        space.options({})
    with pytest.raises(KeyError, match="other"):
        space.options({"free": 1.0, "other": 2.0})
    assert not space.contains({"free": 3.0})
    assert not space.contains({})


@given(point=st.lists(st.floats(0, 1), min_size=9, max_size=9))
def test_unit_cube_round_trip_of_a_whole_space(point: list[float]) -> None:
    space = space_of(
        {
            "sigma": {"tune": True, "per": "group"},
            "extra": {"zeta": "tune", "method": "tune"},
            "layers": "tune",
            "radii": ["tune", 1.0],
            "flag": "tune",
            "shift": "tune",
        }
    )
    values = space.from_unit(point)
    assert space.contains(values)
    again = space.from_unit(space.to_unit(values).tolist())
    for name, value in values.items():
        assert again[name] == (pytest.approx(value) if isinstance(value, float) else value)
    validate_options(Model, space.options(values))


def test_lists_as_choices_and_mixed_lists() -> None:
    space = space_of({"radii": {"choices": [[1.0], [1.0, 2.0]]}})
    assert space.options({"radii": [1.0, 2.0]})["radii"] == [1.0, 2.0]


ERRORS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"sigmaa": 1}, "sigmaa", "unknown key", "did you mean 'sigma'?"),
    ({"extra": {"cutof": 1}}, "extra.cutof", "unknown key", "did you mean 'cutoff'?"),
    ({"terms": [{"pair": {"cutof": 1}}]}, "terms.0.pair.cutof", "unknown key", "did you mean 'cutoff'?"),
    ({"terms": [7]}, "terms.0.", "must be a mapping", ""),
    ({"free": {"min": 3, "max": 2}}, "free", "min 3 must be less than max 2", "exchange"),
    ({"free": {"min": 2, "max": 2}}, "free", "must be less", ""),
    ({"free": {"min": 2}}, "free.max", "needs 'max'", ""),
    ({"free": "tune"}, "free", "no declared range", "{min: ..., max: ...}"),
    ({"cost": "tune"}, "cost", "larger is more accurate but costs more", "{min: ..., max: ...}"),
    ({"free": {"tune": False}}, "free", "is no hyperparameter", "tune"),
    ({"free": {"min": "a", "max": 2}}, "free.min", "must be a number", ""),
    ({"free": {"min": True, "max": 2}}, "free.min", "must be a number", ""),
    ({"free": {"min": 1, "max": math.inf}}, "free.max", "must be finite", ""),
    ({"free": {"min": math.nan, "max": 1}}, "free.min", "must be finite", "number"),
    ({"free": {"min": 0, "max": 1, "log": True}}, "free.min", "must be positive", ""),
    ({"free": {"min": 1, "max": 2, "log": "yes"}}, "free.log", "must be true or false", ""),
    ({"free": {"min": 1, "max": 2, "lgo": True}}, "free.lgo", "unknown key", "did you mean 'log'?"),
    ({"free": {"min": 1, "max": 2, "per": "group"}}, "free.per", "cannot be expanded per group", "no 'per'"),
    (
        {"sigma": {"tune": True, "per": "element"}},
        "sigma.per",
        "cannot be expanded per element",
        "'per: group'",
    ),
    ({"sigma": {"tune": True, "per": "atom"}}, "sigma.per", "cannot be expanded per atom", "'per: group'"),
    (
        {"sigma": {"bulk": 1, "surfaces": 2}},
        "sigma.surfaces",
        "no group 'surfaces'",
        "did you mean 'surface'?",
    ),
    ({"sigma": {"bulk": 1}}, "sigma", "gives no value for group v1.2 melt, surface", "name every group"),
    ({"sigma": {"nothing": 1}}, "sigma.nothing", "a mapping by group", "Known: bulk"),
    ({"apart": {"Si": 1, "Ge": 1}}, "apart.Si", "a mapping by pair", "Ge-Ge"),
    ({"apart": {"Ge-Ge": 1, "Ge-Sn": 1, "Si-Si": 2}}, "apart.Ge-Sn", "no pair 'Ge-Sn' in the data", "Ge-Si"),
    ({"apart": {"Ge-Ge": 1, "Si-Si": 2}}, "apart", "gives no value for pair Ge-Si", "name every pair"),
    (
        {"apart": {"Ge-Ge": 1, "Ge-Si": 1, "Si-Ge": 2, "Si-Si": 2}},
        "apart.Si-Ge",
        "names the pair Ge-Si twice",
        "once",
    ),
    ({"apart": {"Ge-Ge": 1, "Ge-Si": -1, "Si-Si": 2}}, "apart", "greater than 0", "Distance"),
    (
        {"apart": {"tune": True, "per": "element"}},
        "apart.per",
        "cannot be expanded per element",
        "'per: pair'",
    ),
    ({"extra": {"zeta": {"min": 2.5, "max": 6}}}, "extra.zeta.min", "must be an integer", ""),
    ({"solver": {"min": 1, "max": 2}}, "solver", "is not a number", "choices"),
    ({"name": {"min": 1, "max": 2}}, "name", "is not a number", "choices"),
    ({"solver": {"choices": []}}, "solver.choices", "at least one", ""),
    ({"solver": {"choices": "svd"}}, "solver.choices", "list", ""),
    ({"solver": {"choices": ["svd", "svd"]}}, "solver.choices", "twice", ""),
    ({"solver": {"choices": ["svd", "lu"]}}, "solver", "should be 'svd' or 'qr'", "Solver"),
    (
        {"solver": {"choices": ["lu", "svd", "qr"]}},
        "solver",
        "its range holds a value that is not allowed",
        "Solver",
    ),
    ({"free": {"choices": [1, 2], "min": 0}}, "free", "either choices or min and max", ""),
    ({"file": {"choices": ["a", "b"]}}, "file", "cannot be searched", "fixed value"),
    ({"radii": "tune"}, "radii", "say which elements are searched", "for each element"),
    ({"table": {"a": {"min": 1, "max": 2}}}, "table", "no place for hyperparameters", "fixed value"),
    ({"layers": [8, {"x": "tune"}]}, "layers.1", "no place for hyperparameters", ""),
    ({"extra": {"n_max": {"min": 4, "max": 30}}}, "extra.n_max", "not allowed", "Radial functions"),
    ({"sigma": {"min": -1, "max": 1, "log": False, "per": "group"}}, "sigma", "greater than 0", "Sigma"),
    ({"sigma": {"bulk": 0.1, "v1.2 melt": -1, "surface": 1}}, "sigma", "greater than 0", "Sigma"),
    ({"sigma": -1}, "sigma", "greater than 0", "Sigma"),
    ({"order": {"min": 0, "max": 2}}, "order", "not allowed", "Order"),
    ({"free": [1]}, "free", "", "No range"),
    ({"flag": 3}, "flag", "", "Flag"),
    # what pydantic would turn into something else
    ({"flag": "yes"}, "flag", "should be true or false", "Flag"),
    ({"order": True}, "order", "should be an integer, not true", "Order"),
    ({"order": "3"}, "order", "should be an integer, without quotes", "Order"),
    ({"sigma": {"bulk": 1, "v1.2 melt": "2", "surface": 1}}, "sigma", "without quotes", "Sigma"),
]


@pytest.mark.parametrize(
    ("raw", "key", "message", "remedy"), ERRORS, ids=[f"{e[1]}-{i}" for i, e in enumerate(ERRORS)]
)
def test_errors_name_key_fault_and_remedy(raw: dict[str, Any], key: str, message: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        space_of(raw)
    error = caught.value
    assert (error.key or "").rstrip(".") == key.rstrip(".")
    assert message in error.message
    assert error.remedy
    assert remedy in error.remedy


def test_options_of_pairs_of_elements() -> None:
    space = space_of({"apart": {"tune": True, "per": "pair"}})
    assert [p.name for p in space] == ["apart.Ge-Ge", "apart.Ge-Si", "apart.Si-Si"]
    space = space_of({"apart": {"Si-Si": 1.5, "Si-Ge": {"min": 1, "max": 2}, "Ge-Ge": "tune"}})
    assert [p.name for p in space] == ["apart.Ge-Ge", "apart.Ge-Si"]
    values = {"apart.Ge-Si": 1.25, "apart.Ge-Ge": 1.75}
    assert space.options(values)["apart"] == {"Ge-Ge": 1.75, "Ge-Si": 1.25, "Si-Si": 1.5}
    # given in Python, elements stand in either order
    model = validate_options(Model, {"apart": {"Si-Ge": 1.0, "Ge-Ge": 2.0, "Si-Si": 3.0}})
    assert resolve(model.apart, pair_name("Si", "Ge")) == resolve(model.apart, pair_name("Ge", "Si")) == 1.0
    with pytest.raises(InputError, match="names the pair Ge-Si twice"):
        validate_options(Model, {"apart": {"Si-Ge": 1.0, "Ge-Si": 2.0}})


def test_per_without_members_is_an_error() -> None:
    with pytest.raises(InputError, match="no group in the data"):
        build_space(Model, {"sigma": {"tune": True, "per": "group"}})


def test_block_must_be_a_mapping() -> None:
    with pytest.raises(InputError, match="must be a mapping"):
        space_of([1])  # type: ignore[arg-type]
    assert len(build_space(Model, None)) == 0


# -- declarations ----------------------------------------------------------------------------------


def test_walk_reaches_nested_models_and_list_items() -> None:
    paths = {d.path for d in walk_options(Model)}
    assert {"terms", "terms.[].soap.cutoff", "terms.[].pair.cutoff", "extra.zeta", "sigma"} <= paths


def test_undocumented_options_are_found() -> None:
    class Inner(OptionsModel):
        silent: int = option(1)

    class Bad(OptionsModel):
        inner: Inner = option(Inner, "Inner.")
        reversed: float = option(1.0, "x", tune=Range(3, 2))
        negative: float = option(1.0, "x", tune=Range(-1, 1, log=True))

    faults = " ".join(undocumented(Bad))
    assert "'inner.silent' has no description" in faults
    assert "'reversed' has an impossible range" in faults
    assert "'negative' has an impossible range" in faults
    assert not undocumented(Model)


def test_space_comes_back_from_plain_data() -> None:
    space = space_of({"sigma": "tune", "layers": "tune", "extra": {"zeta": "tune"}})
    data = json.loads(json.dumps(space_to_json(space)))
    assert {row["kind"] for row in data["space"]} == {"float", "choice", "int"}
    back = space_from_json(data)
    assert back == space
    assert back.defaults() == space.defaults()
    assert back.options(space.defaults()) == space.options(space.defaults())
    assert space_from_json({"space": data["space"]}).template is None


def test_a_scale_that_the_file_does_not_write_is_known() -> None:
    """``{min, max}`` keeps the scale that the fitter declares; what is logarithmic so can be told."""
    raw: dict[str, Any] = {
        "sigma": {"min": 0.002, "max": 0.05, "per": "group"},
        "wj": {"min": 0.5, "max": 1.5},
    }
    assert inherited_scales(Model, raw, groups=GROUPS, elements=ELEMENTS) == ["sigma"]
    space = {p.name: p for p in space_of(raw)}
    assert space["sigma.bulk"] == Float("sigma.bulk", 0.002, 0.05, True, "regression", 0.01)
    assert space["wj"].from_unit(0.5) == 1.0
    written = {"sigma": {"min": 0.002, "max": 0.05, "log": False}, "wj": "tune"}
    assert inherited_scales(Model, written, groups=GROUPS, elements=ELEMENTS) == []
    parts = {"sigma": {"bulk": {"max": 0.05}, "v1.2 melt": "tune", "surface": 0.1}}
    assert inherited_scales(Model, parts, groups=GROUPS, elements=ELEMENTS) == ["sigma.bulk"]
