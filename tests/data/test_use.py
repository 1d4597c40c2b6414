"""What a study makes of its data is told at its start: unused columns, idle hyperparameters, losses without data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write
from data_cases import Load

from xpot_core.data.use import without_effect
from xpot_core.options.declare import OptionsModel, PerGroup, Range, option
from xpot_core.plugins.interfaces import Provider
from xpot_core.space.read import build_space


def cells(count: int = 9) -> list[Atoms]:
    made = []
    for i in range(count):
        atoms = bulk("Ar", a=5.3, cubic=True)
        atoms.rattle(0.1, seed=i)
        atoms.info.update(REF_energy=-1.0 - i, config_type="ab"[i % 2])
        atoms.arrays["REF_forces"] = np.random.default_rng(i).normal(size=(4, 3))
        made.append(atoms)
    return made


def test_unused_values_are_named_in_few_lines(folder: Path, load: Load) -> None:
    made = cells()
    for i, atoms in enumerate(made):
        atoms.info.update(
            dft_virial=np.ones(9), my_stress=np.ones(6), note="energy is fine", config_weight=2.0
        )
        atoms.info.update({f"energy_{k}": 1.0 * i for k in range(20)})
        atoms.arrays["xtb_forces"] = np.zeros((4, 3))
        atoms.arrays["local_energies"] = np.zeros(4)
        atoms.set_initial_magnetic_moments(np.ones(4))
    write(folder / "u.xyz", made)
    told = [w for w in load(train="u.xyz").warnings if "read" in w or "used" in w]
    assert len(told) == 2
    assert told[0].endswith("data.keys.stress: my_stress, data.keys.virial: dft_virial")
    assert "config_weight" in told[1]
    assert "and 16 more" in told[1]
    assert "local_energies" not in told[1]
    used = load(train="u.xyz", keys={"virial": "dft_virial", "weight": "config_weight"}).warnings
    assert not any("dft_virial" in w or "config_weight" in w for w in used)


def test_what_is_turned_off_on_purpose_is_not_named(folder: Path, load: Load) -> None:
    made = cells()
    made[0].info["energy_sigma"] = 1.0
    write(folder / "u.xyz", made)
    assert not load(train="u.xyz", keys={"energy_sigma": None, "forces": None}).warnings


class Options(OptionsModel):
    v: PerGroup[float] = option(1.0, "x", tune=Range(0.1, 1.0), per="group", role="weight:virial")
    f: PerGroup[float] = option(1.0, "x", tune=Range(0.1, 1.0), per="group", role="sigma:force")
    vv: float = option(1.0, "x", tune=Range(0.1, 1.0))


@pytest.mark.parametrize(
    ("searched", "told"),
    [
        ({"v": "tune"}, ["v (no virials there)"]),
        ({"vv": "tune", "f": "tune"}, []),
        ({"f": {"tune": True, "per": "group"}}, ["f.b (no forces there)"]),
        (
            {"f": {"b": {"min": 1.0, "max": 2.0}, "a": 1.0}, "v": "tune"},
            ["f.b (no forces there)", "v (no virials"],
        ),
        ({"v": 0.5}, []),
    ],
)
def test_hyperparameters_without_effect_are_named(
    folder: Path, load: Load, searched: dict[str, Any], told: list[str]
) -> None:
    made = cells()
    for atoms in made:
        if atoms.info["config_type"] == "b":
            del atoms.arrays["REF_forces"]
    write(folder / "u.xyz", made)
    data = load(train="u.xyz", validation={"kfold": 2}).data
    space = build_space(Options, searched, groups=data.groups, elements=data.elements)
    found = list(without_effect(Provider("x", "x", "x:X", Options), space, data))
    assert len(found) == bool(told)
    assert all(part in found[0] for part in told)


@pytest.mark.parametrize(
    ("keys", "loss", "remedy"),
    [
        ({"forces": None}, {}, "alpha: 1"),
        ({"energy": None}, {}, "alpha: 0"),
        ({"virial": None}, {"virial": 0.1}, "virial: 0"),
    ],
)
def test_a_loss_without_data_is_refused_before_the_first_trial(
    folder: Path, call: Callable[..., Any], keys: dict[str, Any], loss: dict[str, Any], remedy: str
) -> None:
    write(folder / "u.xyz", cells())
    study = {
        "study": "s",
        "data": {"train": "u.xyz", "validation": {"kfold": 3}, "keys": keys},
        "fitter": {"numpy-pair": {"cutoff": {"min": 4.0, "max": 5.0}}},
        "loss": {"energy-force": loss},
        "budget": {"trials": 1},
    }
    (folder / "s.yaml").write_text(yaml.safe_dump(study))
    out = call("run", "s.yaml", "--quiet")
    assert out.status == 2
    assert "no frame of the validation set has any" in out.err
    assert remedy in out.err
    assert not (folder / "runs").exists()
    assert call("fit", "s.yaml", "--set", "fitter.numpy-pair.cutoff=4.5").status == 0
    option, _, value = remedy.partition(": ")
    assert call("run", "s.yaml", "--quiet", "--set", f"loss.energy-force.{option}={value}").status == 0
