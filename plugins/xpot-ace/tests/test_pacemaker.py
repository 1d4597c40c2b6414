"""Inputs of pacemaker become studies; what is not linear is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from xpot_ace.nonlinear.options import PacemakerOptions
from xpot_ace.options import AceOptions
from xpot_ace.pacemaker.input_file import study_from_input
from xpot_ace.pacemaker.potential_section import LINEAR, potential_section

from xpot_core.api import InputError
from xpot_core.plugins.registry import load_registry
from xpot_core.setup.importing import import_study

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
        "fit": {"trainable_parameters": "func"},
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
    assert "test.pckl.gzip is a pickle" in notes[1]
    assert (options.constant, options.ridge, options.energy_shift) == (False, 0.0, {"Si": 0.0})


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


def lost_of(fit: dict[str, Any], **data: Any) -> list[str]:
    """Names of what is lost of a linear input with this fit."""
    given = content()
    given["fit"] = {"trainable_parameters": "func", **fit}
    given["data"] |= data
    return [text.split(":")[0].split(" =")[0] for text in study_from_input(given, Path("input.yaml"))[2]]


@pytest.mark.parametrize(
    ("fit", "lost"),
    [
        ({"optimizer": "L-BFGS-B", "maxiter": 5, "ladder_step": 10, "weighting": None}, []),
        (
            {"loss": {"kappa": 0, "L1_coeffs": 0.0, "w0_rad": 1e-8}, "min_relative_test_loss_per_iter": 1e-5},
            [],
        ),
        ({"loss": {"L1_coeffs": "1e-8"}}, ["fit.loss.L1_coeffs"]),
        ({"loss": {"kappa": "auto"}}, ["fit.loss.kappa", "fit.loss"]),
        ({"loss": {"kappa": 0.3}}, ["fit.loss"]),
        ({"loss": {"L2_coeffs": "1e-8"}}, ["fit.loss"]),
        ({"weighting": {"type": "EnergyBasedWeightingPolicy"}}, ["fit.weighting"]),
        ({"repulsion": "auto"}, ["fit.repulsion"]),
        ({"odd": 3}, ["fit.odd"]),
        ({"trainable_parameters": {"ALL": ["func", "radial"]}}, ["fit.trainable_parameters"]),
        ({"trainable_parameters": {"ALL": "func"}}, []),
    ],
)
def test_what_changes_a_linear_fit_is_lost(fit, lost):
    assert lost_of(fit) == lost


def test_energies_that_pacemaker_finds_are_lost():
    assert lost_of({}, reference_energy="auto") == ["data.reference_energy"]
    assert lost_of({}, reference_energy={"Si": -1.0}) == []


def test_without_lossy_it_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = content()
    given["fit"]["weighting"] = {"type": "EnergyBasedWeightingPolicy"}
    Path("input.yaml").write_text(yaml.safe_dump(given))
    with pytest.raises(InputError, match="weights go by group"):
        import_study(load_registry(), "input.yaml", "pacemaker")
    assert "Lost: fit.weighting" in import_study(load_registry(), "input.yaml", "pacemaker", lossy=True)


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


def test_functions_of_a_file_are_lost():
    study, _, lost = study_from_input(content(filename="better.yaml"), Path("input.yaml"))
    assert study["fitter"]["ace"]["functions"] == 30
    assert [text.split(":")[0] for text in lost] == ["potential.filename"]


@pytest.mark.parametrize("spoilt", [3, {}, {"options": 1, "keys": {}}, {"options": {"odd": 1}, "keys": {}}])
def test_own_words_that_were_changed_are_refused(spoilt):
    with pytest.raises(InputError):
        study_from_input(content() | {"metadata": {"xpot": spoilt}}, Path("input.yaml"))


def test_metadata_of_others_say_nothing():
    study, _, _ = study_from_input(content() | {"metadata": {"origin": "template"}}, Path("input.yaml"))
    assert study == study_from_input(content(), Path("input.yaml"))[0]
