"""Small data, small studies, an empty store, and two ways to run the command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import write

# with pytest's import mode "importlib" a tests folder is not on the path by itself
sys.path.insert(0, str(Path(__file__).parent))

from data_cases import Load
from study_cases import FAULTY

from xpot_core.data.dataset import Dataset, load_dataset
from xpot_core.store.store import Store
from xpot_core.study_file.read import study_from_dict


@dataclass
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests run plugin files of their own unasked, and leave the user's answers alone."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XPOT_TRUST", "1")
        environment.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def argon_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a Lennard-Jones data set, made once."""
    folder = tmp_path_factory.mktemp("argon")
    rng = np.random.default_rng(0)
    frames = []
    for i in range(18):
        atoms = bulk("Ar", cubic=True, a=5.3)
        atoms.rattle(0.15, seed=i)
        atoms.set_cell(atoms.cell * (1 + 0.03 * rng.normal()), scale_atoms=True)
        atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0, smooth=True)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        atoms.calc = None
        group = "hot" if i % 3 else "cold"
        atoms.info.update(REF_energy=energy, REF_virial=virial.ravel(), config_type=group)
        atoms.arrays["REF_forces"] = forces
        frames.append(atoms)
    write(folder / "train.xyz", frames[:13])
    write(folder / "test.xyz", frames[13:])
    return folder


@pytest.fixture
def folder(argon_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds train.xyz and test.xyz."""
    for name in ("train.xyz", "test.xyz"):
        shutil.copy(argon_source / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.fixture(scope="module")
def place(argon_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.xyz and test.xyz for many examples of one file of tests."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("train.xyz", "test.xyz"):
        shutil.copy(argon_source / name, folder / name)
    return folder


@pytest.fixture
def raw() -> dict[str, Any]:
    """A study of the toy fitter as plain data."""
    return {
        "study": "argon",
        "data": {"train": "train.xyz", "validation": {"kfold": 3}, "test": "test.xyz"},
        "fitter": {
            "numpy-pair": {
                "cutoff": {"min": 4.0, "max": 6.5},
                "widths": [{"min": 0.3, "max": 0.6}, 0.8],
                "n_basis": 4,
                "energy_weight": {"tune": True, "per": "group"},
            }
        },
        "loss": {"energy-force": {"alpha": 0.8}},
        "optimizer": "sobol",
        "budget": {"trials": 4},
        "seed": 7,
    }


@pytest.fixture
def faulty_raw() -> dict[str, Any]:
    """A study of the fitter that fails on demand: every mode named in ``mode`` is tried once by grid."""
    return {
        "study": "faulty",
        "data": {"train": "train.xyz", "validation": {"fraction": 0.3}},
        "fitter": {"faulty": {"mode": {"choices": ["ok", "exception"]}}},
        "optimizer": "grid",
        "budget": {"trials": 2},
        "plugins": [str(FAULTY)],
    }


@pytest.fixture
def study(folder: Path, raw: dict[str, Any]) -> Callable[..., Path]:
    """Write a study file: ``study()`` the usual one, ``study(changes)`` with top-level keys replaced."""

    def make(
        changes: dict[str, Any] | None = None, name: str = "study.yaml", base: dict[str, Any] | None = None
    ) -> Path:
        content = {**(base or raw), **(changes or {})}
        path = folder / name
        path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}, sort_keys=False))
        return path

    return make


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command in this process."""
    from xpot_core.cli import main

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        code = stop.value.code
        return Outcome(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def done(study: Callable[..., Path], call: Any) -> Path:
    """The study file of a study that has run."""
    path = study()
    outcome = call("run", path, "--trials", 3)
    assert outcome.status == 0, outcome.out + outcome.err
    return path


@pytest.fixture(scope="session")
def xpot_command() -> list[str]:
    """The installed script, or the same through Python."""
    script = Path(sysconfig.get_path("scripts")) / "xpot"
    return (
        [str(script)]
        if script.is_file()
        else [sys.executable, "-c", "from xpot_core.cli import main; main()"]
    )


@pytest.fixture
def xpot(xpot_command: list[str]) -> Callable[..., Outcome]:
    """Run a command in a process of its own."""

    def run(*arguments: object, cwd: Path | None = None, **environment: str) -> Outcome:
        done = subprocess.run(
            [*xpot_command, *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            timeout=300,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def load(folder: Path) -> Load:
    """Load a data block whose paths start in the folder."""

    def run(**data: Any) -> Dataset:
        block = {"train": "train.xyz", "validation": {"kfold": 3}, **data}
        raw = {
            "study": "a",
            "data": {k: v for k, v in block.items() if v is not None},
            "fitter": "numpy-pair",
        }
        return load_dataset(study_from_dict(raw, folder))

    return run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in ``tmp_path / "study.sqlite"``."""
    with contextlib.closing(Store(tmp_path / "study.sqlite")) as made:
        yield made
