"""`xpot init` on data whose reference values have names of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import write

from xpot_core.errors import InputError
from xpot_core.setup.proposal import Guess, look_at


def unfamiliar(folder: Path) -> Path:
    """Copper whose reference values have names of their own."""
    rng = np.random.default_rng(1)
    frames = []
    for i in range(8):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.05, seed=i)
        pull = rng.normal(size=(4, 3))
        atoms.arrays["pull"] = pull - pull.mean(axis=0)
        atoms.arrays["spins"] = np.abs(pull)
        atoms.info |= {"pbe_E": -14.1 - i / 10, "step": i, "temperature": 300.0, "kind": "ab"[i % 2]}
        frames.append(atoms)
    write(folder / "cu.xyz", frames)
    return folder / "cu.xyz"


def test_unfamiliar_keys_are_guessed_and_told(tmp_path: Path) -> None:
    train = unfamiliar(tmp_path)
    with pytest.raises(InputError) as caught:
        look_at([train])
    assert "numbers: pbe_E, step, temperature; vectors by atom: pull, spins" in str(caught.value)
    assert str(caught.value.remedy).endswith("--energy-key pbe_E --force-key pull")
    asked: list[Guess] = []

    def agree(guess: Guess) -> bool:
        asked.append(guess)
        return True

    facts = look_at([train], ask=agree)
    assert (facts.energy, facts.forces, facts.virial, facts.stress) == ("pbe_E", "pull", None, None)
    assert [guess.text() for guess in asked] == ["energy pbe_E, forces pull, virial none, stress none"]


def test_named_keys_are_taken_and_nothing_is_asked(tmp_path: Path, call: Any) -> None:
    train = unfamiliar(tmp_path)
    keys = ["--energy-key", "pbe_E", "--force-key", "none", "--group-key", "kind"]
    made = call("init", "--from-data", train, "--fitter", "numpy-pair", *keys)
    assert made.status == 0, made.err
    data = yaml.safe_load(made.out)["data"]
    assert data["keys"] == {"energy": "pbe_E", "forces": None, "virial": None}
    assert data["group_by"] == "kind"
    typo = call("init", "--from-data", train, "--energy-key", "pbe_e")
    assert typo.status == 2
    assert "--energy-key = 'pbe_e'" in typo.err
    assert "did you mean 'pbe_E'" in typo.err
    assert call("init", "--from-data", train, "--group-key", "kinds").status == 2
    assert "needs --from-data" in call("init", "--energy-key", "pbe_E").err


def test_velocities_and_moments_are_no_forces(tmp_path: Path) -> None:
    frames = [bulk("Cu", cubic=True) for _ in range(6)]
    for i, atoms in enumerate(frames):
        atoms.info["REF_energy"] = -14.0 - i / 10
        atoms.arrays["momenta"] = np.random.default_rng(i).normal(size=(4, 3))
        atoms.arrays["momenta"] -= atoms.arrays["momenta"].mean(axis=0)
    write(tmp_path / "cu.xyz", frames)
    assert look_at([tmp_path / "cu.xyz"]).forces is None


def test_a_terminal_is_asked_one_question_about_keys(tmp_path: Path) -> None:
    train = unfamiliar(tmp_path)
    code = f"from xpot_core.cli import main; main(['init', '--from-data', {str(train)!r}, '--fitter', 'numpy-pair'])"
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
        ) as process:
            os.write(ours, b"\n")
            out, _ = process.communicate(timeout=120)
        said = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, said
    assert said.count("Is that right?") == 1
    assert "vectors by atom: pull, spins" in said
    assert "energy: pbe_E" in out
