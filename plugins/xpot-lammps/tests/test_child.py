"""Processes that crash, hang, or find a fault of the user."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
from lammps_cases import DIAMOND, request, stillinger_weber
from xpot_lammps.process.options import ChildOptions
from xpot_lammps.process.reports import report
from xpot_lammps.process.runner import run_child
from xpot_lammps.validators.cost import SpeedOptions
from xpot_lammps.validators.dimer import DimerOptions
from xpot_lammps.validators.elastic import ElasticOptions
from xpot_lammps.validators.equation_of_state import EosOptions
from xpot_lammps.validators.md import LammpsMdOptions
from xpot_lammps.validators.melt_quench import MeltQuenchOptions
from xpot_lammps.validators.phonons import PhononOptions

from xpot_core.api import FittedPotential, InputError
from xpot_core.testing import ValidatorContract

TASKS = """
import json, os, signal, subprocess, sys, time

def crash(potential, job):
    with open("progress.jsonl", "a") as file:
        file.write(json.dumps({"step": 70, "stage": "nvt"}) + "\\n{")
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)

def silent(potential, job):
    os._exit(3)

def hang(potential, job):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open("child.pid", "w") as file:
        file.write(str(child.pid))
    time.sleep(600)

def blame(potential, job):
    from xpot_core.api import InputError
    raise InputError("no good", key="structure.file", value="x", remedy="write y")

def broken(potential):
    raise ValueError("cannot be read")

class Model:
    def __init__(self, potential):
        from ase.calculators.lj import LennardJones
        self.calc, self.calls = LennardJones(sigma=2.1, epsilon=0.5, rc=5.0), 0

def dying(potential):
    from ase.calculators.lj import LennardJones
    class Dying(LennardJones):
        calls = 0
        def calculate(self, *arguments, **words):
            Dying.calls += 1
            if Dying.calls > 30:
                {action}
            super().calculate(*arguments, **words)
    return Dying(sigma=2.1, epsilon=0.5, rc=5.0)
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "odd_tasks.py").write_text(TASKS.replace("{action}", "raise ArithmeticError('too near')"))
    (folder / "odd_crash.py").write_text(TASKS.replace("{action}", "os.kill(os.getpid(), signal.SIGABRT)"))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def foreign(folder: Path) -> FittedPotential:
    """A potential that LAMMPS does not know."""
    folder.mkdir()
    (folder / "p.txt").write_text("p")
    return FittedPotential.from_files("odd", folder, {"p": "p.txt"}, ["Si"])


def test_a_crash_is_a_failure_with_the_last_step_known(tasks: Path, tmp_path: Path) -> None:
    found = run_child(
        "odd_tasks:crash", foreign(tmp_path / "p"), request(tmp_path / "a"), ChildOptions(timeout=30)
    )
    assert found.failure is not None
    assert found.failure["reason"] == "crash"
    assert (found.failure["step"], found.failure["stage"]) == (70, "nvt")
    assert "SIGSEGV" in found.failure["message"]
    assert "last words" in found.failure["message"]
    found = run_child(
        "odd_tasks:silent", foreign(tmp_path / "q"), request(tmp_path / "a"), ChildOptions(timeout=30)
    )
    assert found.failure is not None
    assert "status 3" in found.failure["message"]


def test_a_hang_is_ended_with_its_children(tasks: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    found = run_child(
        "odd_tasks:hang", foreign(tmp_path / "p"), request(tmp_path / "a"), ChildOptions(timeout=3)
    )
    assert time.monotonic() - start < 10
    assert found.failure is not None
    assert found.failure["reason"] == "timeout"
    pid = int((tmp_path / "a" / "child.pid").read_text())
    time.sleep(0.2)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_fault_of_the_user_comes_through(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no good") as caught:
        run_child(
            "odd_tasks:blame", foreign(tmp_path / "p"), request(tmp_path / "a"), ChildOptions(timeout=30)
        )
    assert (caught.value.key, caught.value.value, caught.value.remedy) == ("structure.file", "x", "write y")


class Md(ValidatorContract):
    provider = "lammps-md"
    options = {"steps": 200, "structure": DIAMOND, "min_atoms": 8}  # noqa: RUF012


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("odd_tasks:broken", ["ValueError: cannot be read"]),
        ("odd_tasks:dying", ["too near", "at step 30"]),
        ("odd_crash:dying", ["SIGABRT", "at step 20"]),
    ],
)
def test_a_calculator_that_breaks_is_a_verdict(
    tasks: Path, tmp_path: Path, target: str, words: list[str]
) -> None:
    chosen = request(tmp_path / "a", calculator=target)
    found = Md().validator().validate(foreign(tmp_path / "p"), chosen)
    assert not found.passed
    for word in words:
        assert word in found.summary


def test_without_a_calculator_the_user_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no calculator is known for potentials of format 'odd'"):
        Md().validator().validate(foreign(tmp_path / "p"), request(tmp_path / "a"))


@pytest.mark.parametrize(
    ("provider", "options", "key"),
    [
        ("lammps-md", {"ensemble": "nvx"}, "ensemble"),
        ("lammps-md", {"temperature": -1}, "temperature"),
        ("lammps-md", {"structure": {"frame": 0, "group": "a"}}, "structure"),
        ("lammps-md", {"structure": {"crystal": "diamond"}}, "structure"),
        ("lammps-md", {"ensemble": "nve", "end_temperature": 300}, None),
        ("lammps-melt-quench", {"melt_temperature": 300, "final_temperature": 900}, None),
        ("lammps-speed", {"reference": {"pair_coeff": "Si.sw Si"}}, "reference"),
        ("equation-of-state", {"reference": {"bulk_modulos": 98}}, None),
        ("elastic", {"tolerances": {"c11": -0.1}}, "tolerances"),
        ("dimer", {"max_distance": 0.1}, None),
        ("phonons", {"supercell": 0}, None),
    ],
)
def test_wrong_options_are_told_with_their_key(provider: str, options: dict, key: str | None) -> None:
    class Any(ValidatorContract):
        pass

    Any.provider, Any.options = provider, options
    with pytest.raises(InputError) as caught:
        Any().validator()
    assert f"validator.{provider}" in str(caught.value.key)
    assert key is None or key in str(caught.value.key)


@pytest.mark.parametrize(
    ("structure", "key"),
    [
        ({"frame": 99}, "structure.frame"),
        ({"group": "none"}, "structure.group"),
        ({"file": "absent.xyz"}, "structure.file"),
        ({"crystal": "hcp", "species": "Xx"}, "structure.crystal"),
        ({"crystal": "diamond", "species": "C", "a": 3.57}, "structure"),
    ],
)
def test_structures_that_cannot_be_had_are_told(tmp_path: Path, structure: dict, key: str) -> None:
    Md.options = {"structure": structure}
    with pytest.raises(InputError) as caught:
        Md().validator().validate(stillinger_weber(tmp_path / "p"), request(tmp_path / "a"))
    assert caught.value.key == key
    Md.options = {"steps": 200, "structure": DIAMOND, "min_atoms": 8}


def test_phonopy_that_is_missing_is_told_before_the_study_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from xpot_lammps.validators.phonons import PhononValidator

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == "phonopy" else real(n, *a))
    with pytest.raises(InputError, match="phonopy") as caught:
        PhononValidator(PhononOptions(engine="phonopy"))
    assert caught.value.remedy is not None
    assert "xpot-lammps[phonons]" in caught.value.remedy
    PhononValidator(PhononOptions())


def test_defaults_are_options() -> None:
    for model in (LammpsMdOptions, MeltQuenchOptions, SpeedOptions, DimerOptions, EosOptions, ElasticOptions):
        model()


def test_reports_hold_finite_numbers_only() -> None:
    found = report(True, "x", {"a": float("nan"), "b": 1, "c": None}, {"t": {"x": [1, 2], "y": [None, 3.0]}})
    assert found.values == {"b": 1.0}
    assert found.tables == {"t": {"x": [2.0], "y": [3.0]}}
