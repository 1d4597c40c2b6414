"""Inputs of pacemaker become studies; what is not linear is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st
from xpot_ace.nonlinear.job import input_file
from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.input_file import study_from_input
from xpot_ace.pacemaker.potential_section import LINEAR, potential_section

from xpot_core.api import InputError

SHAPE = {"nradmax_by_orders": [6, 3], "lmax_by_orders": [0, 2]}


def content(**potential: Any) -> dict[str, Any]:
    return {
        "potential": {
            "elements": ["Si"],
            "embeddings": {"ALL": {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}},
            "bonds": {"ALL": {"radbase": "ChebExpCos", "radparameters": [4], "rcut": 5, "dcut": 0.02}},
            "functions": {"ALL": SHAPE, "number_of_functions_per_element": 30},
            **potential,
        },
        "data": {"filename": "si.xyz", "test_filename": "test.pckl.gzip"},
        "fit": {},
        "seed": 5,
    }


def imported(**potential: Any) -> tuple[dict[str, Any], list[str]]:
    return study_from_input(content(**potential), Path("input.yaml"))[:2]


def test_a_linear_input_goes_there_and_back():
    study, notes = imported()
    options = AceOptions(**study["fitter"]["ace"])
    section = potential_section(options, ("Si",), LINEAR)
    assert section["functions"]["UNARY"] == SHAPE
    ours, theirs = section["bonds"]["ALL"], content()["potential"]["bonds"]["ALL"]
    assert {k: ours[k] for k in theirs} == theirs
    assert options.functions == 30
    assert study["seed"] == 5
    assert study["data"] == {"train": "si.xyz", "test": "test.xyz", "validation": {"kfold": 5}}
    assert len(notes) == 2
    assert "test.pckl.gzip is a pickle" in notes[1]


def test_bonds_by_kind_and_by_pair():
    bonds = {
        "ALL": {"radbase": "SBessel", "rcut": 5.0},
        "UNARY": {"rcut": 5.5},
        "BINARY": {"rcut": 4.5},
        "PSi": {"dcut": 0.05},
    }
    study, _ = imported(elements=["Si", "P"], bonds=bonds)
    assert study["fitter"]["ace"]["bonds"] == [
        {"pair": ["P", "P"], "cutoff": 5.5},
        {"pair": ["P", "Si"], "cutoff": 4.5, "dcut": 0.05},
        {"pair": ["Si", "Si"], "cutoff": 5.5},
    ]
    options = AceOptions(**study["fitter"]["ace"])
    assert options.binary.nradmax_by_orders == options.ternary.nradmax_by_orders == [6, 3]


def test_inner_cutoffs():
    inner = {"r_in": 1.2, "delta_in": 0.2, "core-repulsion": [1, 1], "inner_cutoff_type": "zbl", "rcut": 5}
    options = AceOptions(**imported(bonds={"Si": inner})[0]["fitter"]["ace"])
    assert (options.r_in, options.delta_in, options.core_repulsion) == (1.2, 0.2, [1.0, 1.0])
    assert options.inner_cutoff_type == "zbl"


def test_what_is_not_linear_is_named():
    given = content()
    given["fit"] = {"loss": {"kappa": 0.1}, "repulsion": "auto", "optimizer": "BFGS"}
    given["data"]["reference_energy"] = "auto"
    _, notes, lost = study_from_input(given, Path("input.yaml"))
    assert not lost
    assert [n.split(":")[0] for n in notes[2:]] == ["data.reference_energy", "fit.loss", "fit.repulsion"]


@pytest.mark.parametrize(
    ("potential", "key"),
    [
        ({"bonds": {"ALL": {"rcut": 5, "odd": 1}}}, "potential.bonds.ALL.odd"),
        ({"bonds": {"GeGe": {"rcut": 5}}}, "potential.bonds.GeGe"),
        ({"functions": {"ALL": {**SHAPE, "odd": 1}}}, "potential.functions.UNARY.odd"),
        ({"functions": {"AlNi": SHAPE}}, "potential.functions.AlNi"),
    ],
)
def test_what_has_no_counterpart_is_an_error(potential, key):
    with pytest.raises(InputError) as caught:
        imported(**potential)
    assert caught.value.key == key
    assert caught.value.file == Path("input.yaml")


def test_a_potential_given_by_a_file_is_refused():
    with pytest.raises(InputError, match="no elements"):
        study_from_input({"potential": "old.yaml", "data": {}, "fit": {}}, Path("input.yaml"))


DENSITIES = {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2}


def test_densities_are_those_of_the_fitter_pacemaker():
    given = content(embeddings={"Si": DENSITIES})
    given["fit"] = {
        "loss": {"kappa": 0.1, "L1_coeffs": "1e-7", "w0_rad": 1e-8},
        "weighting": {"type": "EnergyBasedWeightingPolicy"},
        "repulsion": "auto",
        "maxiter": 50,
    }
    given["backend"] = {"evaluator": "tensorpot", "batch_size": 7, "display_step": 1}
    study, _, lost = study_from_input(given, Path("input.yaml"))
    options = PacemakerOptions(**study["fitter"]["pacemaker"])
    assert options.fs_parameters == [1, 1, 1, 0.5]
    assert (options.kappa, options.l1_coeffs, options.maxiter, options.batch_size) == (0.1, 1e-7, 50, 7)
    assert [text.split(" =")[0] for text in lost] == ["fit.weighting", "fit.repulsion", "fit.loss.w0_rad"]


def test_elements_with_densities_of_their_own_are_refused():
    with pytest.raises(InputError, match="all elements have the same one here"):
        imported(elements=["P", "Si"], embeddings={"Si": DENSITIES, "P": {"fs_parameters": [1, 1]}})


positive = st.floats(0.1, 2.0).map(lambda x: round(x, 6))
sizes = st.integers(1, 4).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "nradmax_by_orders": st.lists(st.integers(1, 9), min_size=n, max_size=n),
            "lmax_by_orders": st.lists(st.integers(0, 5), min_size=n - 1, max_size=n - 1).map(
                lambda rest: [0, *rest]
            ),
        }
    )
)


@given_by(
    sizes,
    st.fixed_dictionaries(
        {
            "cutoff": st.floats(3.0, 8.0),
            "radbase": st.sampled_from(["SBessel", "ChebExpCos", "ChebPow"]),
            "radparameters": positive,
            "dcut": positive,
            "r_in": positive,
            "bonds": st.sampled_from(
                [[], [{"pair": ["Ge", "Si"], "cutoff": 4.5}], [{"pair": ["Si", "Si"], "dcut": 0.3}]]
            ),
            "functions": st.integers(1, 900),
            "npot": st.sampled_from(["FinnisSinclairShiftedScaled", "FinnisSinclair"]),
            "fs_parameters": st.lists(positive, min_size=4, max_size=4),
            "kappa": st.floats(0.0, 1.0),
            "l1_coeffs": st.floats(0.0, 1e-3),
            "l2_coeffs": st.floats(0.0, 1e-3),
            "optimizer": st.sampled_from(["BFGS", "L-BFGS-B"]),
            "maxiter": st.integers(1, 3000),
            "batch_size": st.integers(1, 200),
            "evaluator": st.sampled_from(["tensorpot", "pyace"]),
        }
    ),
    st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_import_of_an_input_that_we_wrote_is_the_identity(shape, chosen, seed):
    shapes = {"binary": shape, "ternary": shape, "order": len(shape["lmax_by_orders"])}
    options = PacemakerOptions(**chosen, **shape, **shapes)
    study, _, lost = study_from_input(input_file(options, ("Ge", "Si"), seed), Path("input.yaml"))
    assert not lost
    assert study["seed"] == seed
    assert PacemakerOptions(**study["fitter"]["pacemaker"]) == options
