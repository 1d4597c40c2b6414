"""What `xpot init --fitter mace` proposes; needs neither torch nor mace."""

from __future__ import annotations

from pathlib import Path

import pytest
from xpot_mace.propose import propose

from xpot_core.plugins.registry import load_registry
from xpot_core.setup.proposal import Wishes, look_at, propose_study
from xpot_core.study_file.read import read_study
from xpot_core.testing.frames import frames, write_frames


def test_few_hyperparameters_are_searched_by_rungs_of_epochs(tmp_path: Path) -> None:
    train = tmp_path / "train.xyz"
    write_frames(train, frames())
    found = propose_study(look_at([train]), Wishes((train,), fitter="mace", folder=tmp_path), load_registry())
    file = tmp_path / "study.yaml"
    file.write_text(found.text, encoding="utf-8")
    written = read_study(file).config
    options = written.fitter["mace"]
    searched = {name for name, value in options.items() if value == "tune" or isinstance(value, dict)}
    assert {"lr", "batch_size", "energy_weight", "r_max", "ema_decay"} <= searched
    assert found.searched == len(searched) <= 6
    assert written.fidelity is not None
    assert written.fidelity.rungs == [16, 48]
    assert options["max_num_epochs"] == 144


@pytest.mark.parametrize(("atoms", "epochs"), [(1, 144), (10_000, 54), (10**6, 45)])
def test_a_training_ends_in_bounded_time(atoms: int, epochs: int) -> None:
    assert propose(atoms=atoms)["max_num_epochs"] == epochs


def test_stresses_are_weighed_where_there_are_any() -> None:
    with_virials, without = propose(atoms=100, virials=True), propose(atoms=100)
    assert with_virials["loss"] == "stress"
    assert "stress_weight" not in with_virials
    assert without["stress_weight"] is None
    assert "loss" not in without
