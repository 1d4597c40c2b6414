"""Trainings that start from a given model: a small one of copper by EMT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import write
from mace_cases import TINY, emt_frames, train
from xpot_mace.potential.evaluator import ModelEvaluator

from xpot_core.api import FitError, FitRequest
from xpot_core.testing.frames import training_data


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of copper and nickel."""
    folder = tmp_path_factory.mktemp("foundation")
    data = training_data([*emt_frames("Cu", 8), *emt_frames("Ni", 8)])
    return train(folder, data, held=(), max_num_epochs=8, E0s="average").path("model")


def nickel(folder: Path, foundation: Path, **options: Any) -> Any:
    """Fine-tuned on nickel."""
    given = {"foundation_model": str(foundation), "E0s": "foundation", "max_num_epochs": 2, "lr": 0.005}
    return train(
        folder, training_data(emt_frames("Ni", 10)[2:]), held=emt_frames("Ni", 2), **{**given, **options}
    )


def forces_of(path: Path) -> Any:
    structures = [f.atoms for f in emt_frames("Ni", 10)]
    return np.concatenate([forces for _, forces, _ in ModelEvaluator(path, "cpu").evaluate(structures)])


def test_it_begins_where_the_foundation_ends(foundation: Path, tmp_path: Path) -> None:
    """After next to no learning the model is the foundation; after some it is better."""
    same = nickel(tmp_path / "same", foundation, lr=1e-12, max_num_epochs=1, ema=False)
    np.testing.assert_allclose(forces_of(same.path("model")), forces_of(foundation), atol=1e-6)
    reference = np.concatenate([np.asarray(f.forces) for f in emt_frames("Ni", 10)])
    tuned = nickel(tmp_path / "tuned", foundation, max_num_epochs=6, lr=0.02)

    def rmse(path: Path) -> float:
        return float(np.sqrt(((forces_of(path) - reference) ** 2).mean()))

    assert rmse(tuned.path("model")) < 0.95 * rmse(foundation)


def test_a_path_starts_from_the_working_folder(
    foundation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(foundation.parent)
    assert nickel(tmp_path, Path(foundation.name), max_num_epochs=1).path("model").is_file()


def test_what_is_frozen_stays(foundation: Path, tmp_path: Path) -> None:
    import torch

    def weights(path: Path) -> dict[str, Any]:
        model = torch.load(path, map_location="cpu", weights_only=False)
        return {name: value.detach().numpy() for name, value in model.named_parameters()}

    frozen = weights(nickel(tmp_path / "frozen", foundation, freeze=6).path("model"))
    free = weights(nickel(tmp_path / "free", foundation).path("model"))
    start = weights(
        nickel(tmp_path / "start", foundation, lr=1e-15, max_num_epochs=1, ema=False).path("model")
    )

    def moved(found: dict[str, Any], part: str) -> float:
        return max(float(np.abs(found[n] - start[n]).max(initial=0.0)) for n in start if n.startswith(part))

    assert moved(frozen, "interactions") < 1e-9 < 1e-4 < moved(free, "interactions")
    assert moved(frozen, "readouts") > 1e-4


def test_replayed_structures_have_a_head_of_their_own(foundation: Path, tmp_path: Path) -> None:
    """The model that comes out has one head, goes on from a checkpoint, and knows more of copper."""
    replay = []
    for one in emt_frames("Cu", 8):
        atoms = one.atoms.copy()
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = one.energy, np.asarray(one.forces)
        replay.append(atoms)
    write(tmp_path / "replay.xyz", replay, format="extxyz")
    given = {"pt_train_file": str(tmp_path / "replay.xyz"), "max_num_epochs": 3}
    whole = nickel(tmp_path / "whole", foundation, **given)
    kept = tmp_path / "kept"
    nickel(tmp_path / "first", foundation, checkpoint=kept, **{**given, "max_num_epochs": 1})
    rest = nickel(tmp_path / "rest", foundation, resume_from=kept, **given)
    np.testing.assert_allclose(forces_of(whole.path("model")), forces_of(rest.path("model")), atol=1e-9)


def test_the_architecture_is_not_searched(foundation: Path, tmp_path: Path) -> None:
    from xpot_mace.fitter import MaceFitter
    from xpot_mace.options import MaceOptions

    request = FitRequest(
        options=MaceOptions(**{**TINY, "foundation_model": str(foundation)}),
        data=training_data(emt_frames("Ni", 4)),
        directory=tmp_path,
        tuned=frozenset({"r_max", "lr"}),
    )
    with pytest.raises(FitError, match="r_max cannot be searched"):
        MaceFitter().fit(request)
