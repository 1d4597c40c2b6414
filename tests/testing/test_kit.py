"""The conformance kit finds what it is there to find: each fault is caught by its rule."""

# ruff: noqa: E501 - code of faults on one line each
from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, ClassVar

import pytest

from xpot_core.testing import FitterContract, LossContract, NotApplicable, check_contract

PLUGIN = """
import copy, dataclasses, itertools, json, os, subprocess, sys
from pathlib import Path
import numpy as np
from xpot_core.api import FitterProvider, NoOptions, PredictorProvider, hookimpl
from xpot_core.testing.toy.fitter import ToyDesign, ToyFitter, ToyPredictor
from xpot_core.testing.toy.options import ToyOptions

COUNT = itertools.count()

def without(request, **labels):
    frames = tuple(dataclasses.replace(f, **labels) for f in request.data.frames)
    return dataclasses.replace(request, data=dataclasses.replace(request.data, frames=frames))

class Design(ToyDesign):
    def __init__(self, basis, data):
        super().__init__(basis, data)

class Fitter(ToyFitter):
    def fit(self, request):
        {fit}
        return super().fit(request)

    def prepare(self, request):
        {prepare}
        return super().prepare(request)

class Predictor(ToyPredictor):
    def predict(self, potential, frames, *, directory, threads=1):
        found = super().predict(potential, frames, directory=directory)
        {predict}
        return found

@hookimpl
def xpot_register_fitters():
    return [FitterProvider("NAME", "faulty on purpose", __name__ + ":Fitter", ToyOptions, produces=("NAME-format", "numpy-pair"), frame_labels=("energy_sigma", "force_mask"))]

@hookimpl
def xpot_register_predictors():
    return [PredictorProvider("NAME", "faulty on purpose", __name__ + ":Predictor", NoOptions, accepts=("NAME-format",))]
"""

# Rule -> code in fit, prepare or predict that breaks it.
FAULTS: dict[str, dict[str, str]] = {
    "every_option_reaches_the_backend": {
        "prepare": "o = request.options; request = dataclasses.replace(request, options=o.model_copy("
        "update={'widths': [o.widths[0], 0.8]}))"
    },
    "kernel_options_need_no_new_descriptors": {
        "prepare": "request = dataclasses.replace(request, options=request.options.model_copy(update={'every': 1}))"
    },
    "the_same_fit_gives_the_same_potential": {
        "fit": "request = dataclasses.replace(request, options=request.options.model_copy("
        "update={'cutoff': request.options.cutoff + 0.01 * next(COUNT)}))"
    },
    "writes_only_in_its_folder": {"fit": "Path('stray.txt').write_text('x')"},
    "frames_are_left_as_they_are": {"fit": "request.data.frames[0].atoms.positions[0] += 1e-3"},
    "missing_reference_values_are_survived": {"fit": "[f.energy + 1 for f in request.data.frames]"},
    "paths_may_hold_spaces_and_letters_of_any_language": {"fit": "str(request.directory).encode('ascii')"},
    "forces_are_minus_the_gradient_of_the_energy": {"predict": "found.forces[0][0] *= 1.01"},
    "virial_is_minus_the_derivative_by_strain": {"predict": "found.virials[:] *= -1"},
    "rotation": {"predict": "found.forces[:] = [f * (1, 1, 1.001) for f in found.forces]"},
    "translation": {"predict": "found.energies[:] += [1e-3 * f.atoms.positions[0, 0] for f in frames]"},
    "permutation": {"predict": "found.forces[-1] = found.forces[-1][::-1]"},
    "supercell": {"predict": "found.energies[:] += 1e-3"},
    "frames_are_independent": {"predict": "found.energies[:] += 1e-3 * len(frames)"},
    "open_boundaries": {
        "predict": "[f.atoms.cell.reciprocal() for f in frames]; "
        "found.forces[:] = [x if f.atoms.cell.volume else x * np.nan for x, f in zip(found.forces, frames)]"
    },
    "reference_values_are_not_looked_at": {
        "predict": "found.energies[:] += [0 if f.energy is None else f.energy for f in frames]"
    },
    "potential_can_be_moved": {"predict": "found.energies[:] += 'elsewhere' in str(potential.directory)"},
    "leave_out_equals_a_fit_without_these_frames": {
        "prepare": "request = dataclasses.replace(request, data=dataclasses.replace(request.data, folds=(-1,) * len(request.data.folds)))"
    },
    "evaluation_frames_are_never_trained_on": {
        "prepare": "request = dataclasses.replace(request, data=dataclasses.replace(request.data, folds=tuple(max(f, -1) for f in request.data.folds)))"
    },
    "staged_fit_equals_plain_fit": {
        "fit": "request = dataclasses.replace(request, options=request.options.model_copy(update={'ridge': 1e-3}))"
    },
    "errors_are_those_of_the_predictions": {"predict": "found.energies[:] *= 1.001"},
    "several_elements": {"predict": "found.energies[:] = 0.0"},
    "declared_frame_labels_have_an_effect": {"prepare": "request = without(request, energy_sigma=None)"},
    "masked_forces_have_no_effect": {"prepare": "request = without(request, force_mask=None)"},
    "staged_fit_weighs_frames_as_the_plain_one": {"fit": "request = without(request, energy_sigma=None)"},
    "lammps_computes_what_says_so": {
        "fit": "made = super().fit(request); path = request.directory / 'pair.mod'; path.write_text('pair_style zero 5.0\\npair_coeff * *'); "
        "return dataclasses.replace(made, files={**made.files, 'include': path.name}, metadata={'lammps': {'include': path.name}})"
    },
    "parallel_fits_do_not_disturb_each_other": {
        "fit": "shared = request.directory.parent.parent / 'shared.txt'; shared.write_text(str(len(request.data.frames))); "
        "import time; time.sleep(3.0 if 'together' in request.directory.parts else 0.0); "
        "request = dataclasses.replace(request, options=request.options.model_copy(update={'cutoff': 4 + 0.02 * int(shared.read_text())}))"
    },
}


def contract(folder: Path, name: str, code: dict[str, str]) -> FitterContract:
    """The contract of the toy fitter with one fault put in."""
    parts = {
        part: textwrap.indent(code.get(part, "pass"), "        ").strip()
        for part in ("fit", "prepare", "predict")
    }
    text = PLUGIN
    for part, body in parts.items():
        text = text.replace("{" + part + "}", body)
    provider = f"toy-{abs(hash((name, str(folder))))}"
    path = folder / "faulty_plugin.py"
    path.write_text(text.replace("NAME", provider))
    attributes: dict[str, Any] = {
        "provider": provider,
        "predictor": provider,
        "plugin_files": (path,),
        "tiny_options": {"cutoff": 4.8, "widths": [0.4, 0.8], "n_basis": 4},
    }
    return type("Faulty", (FitterContract,), attributes)()


@pytest.mark.parametrize("rule", FAULTS)
def test_each_fault_is_found_by_its_rule(tmp_path: Path, rule: str) -> None:
    if "lammps" in rule:
        pytest.importorskip("xpot_lammps")
    faulty = contract(tmp_path, rule, FAULTS[rule])
    with pytest.raises((AssertionError, TypeError, UnicodeError, ValueError)):
        getattr(faulty, f"test_{rule}")()


@pytest.mark.slow  # tests/testing/test_contract_toy.py shows the same, rule by rule
def test_without_a_fault_nothing_is_found(tmp_path: Path) -> None:
    found = dict(check_contract(contract(tmp_path, "none", {})))
    faults = {r: f for r, f in found.items() if f and not f.startswith("not applicable")}
    assert not faults, faults
    assert len(found) > 30


class Good(LossContract):
    provider = "energy-force"


def test_a_number_says_its_unit(tmp_path: Path) -> None:
    path = tmp_path / "unitless.py"
    path.write_text(
        "from xpot_core.api import LossProvider, OptionsModel, hookimpl, option\n\n"
        "class Options(OptionsModel):\n"
        "    share: float = option(0.5, 'Part.', unit='')\n"
        "    balance: float = option(0.5, 'Energies against forces.', role='balance')\n"
        "    floor: float | None = option(None, 'Least force.')\n\n"
        "@hookimpl\ndef xpot_register_losses():\n"
        "    return [LossProvider('unitless', 'x', 'xpot_core.builtin.loss:EnergyForceLoss', Options)]\n"
    )
    contract = type("Unitless", (LossContract,), {"provider": "unitless", "plugin_files": (path,)})()
    with pytest.raises(AssertionError) as caught:
        contract.test_options_are_documented()
    assert str(caught.value).splitlines()[0] == "option 'floor' does not say its unit"


def test_expected_failures_are_strict() -> None:
    class Pessimist(Good):
        expected_failures: ClassVar = {"order_of_frames_does_not_matter": "we thought so"}

    with pytest.raises(
        AssertionError, match="is kept although it is among the expected failures: we thought so"
    ):
        Pessimist().test_order_of_frames_does_not_matter()

    class Broken(Good):
        expected_failures: ClassVar = {"perfect_predictions_are_best": "not zero"}
        options: ClassVar = {"alpha": 3}  # cannot be made

    Broken().test_perfect_predictions_are_best()
    with pytest.raises(TypeError, match="names no rule"):
        type("Typo", (Good,), {"expected_failures": {"no_such_rule": "x"}})


def test_rules_that_say_nothing_are_skipped_not_kept() -> None:
    class NoGradient(Good):
        options: ClassVar = {"measure": "mae"}

    with pytest.raises(NotApplicable):
        NoGradient().test_sensitivity_is_the_derivative()
    assert dict(check_contract(NoGradient()))["sensitivity_is_the_derivative"].startswith("not applicable")


def test_frames_of_the_kit_are_right() -> None:
    """Their labels against differences of the energy; the kit's physics hangs on them."""
    import numpy as np

    from xpot_core.testing import frames

    for atoms in (frames.structure(1), frames.structure(2, ("Ge", "Si")), frames.structure(3, small=True)):
        _, forces, virial = frames.morse(atoms)
        step = 1e-5
        for axis in range(3):
            ends = []
            for s in (-step, step):
                moved = atoms.copy()
                moved.positions[0, axis] += s
                ends.append(frames.morse(moved)[0])
            assert forces[0, axis] == pytest.approx(-(ends[1] - ends[0]) / (2 * step), abs=1e-6)
            ends = []
            for s in (-step, step):
                strain = np.eye(3)
                strain[axis, axis] += s
                moved = atoms.copy()
                moved.set_cell(np.array(atoms.cell) @ strain, scale_atoms=True)
                ends.append(frames.morse(moved)[0])
            assert virial[axis, axis] == pytest.approx(-(ends[1] - ends[0]) / (2 * step), abs=1e-5)
    assert frames.frames() == frames.frames()
    kept = frames.frames_from_json(frames.frames_to_json(frames.frames()))
    assert [f.identity for f in kept] == [f.identity for f in frames.frames()]
