"""Files with fixed atoms: fit, errors and exported scripts are those of the same file without constraints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.constraints import FixAtoms
from ase.io import read

CASES = Path(__file__).parent / "cases"


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def xpot(folder: Path, *arguments: str) -> str:
    return run(folder, "-c", "from xpot_core.cli import main; main()", *arguments)


def study(name: str) -> dict[str, object]:
    file = f"{name}.xyz"
    return {
        "study": name,
        "data": {"train": file, "validation": {"kfold": 3}, "test": file},
        "fitter": {
            "snap": {"twojmax": 4, "rcutfac": {"min": 4.3, "max": 4.7}, "vweight": 0.1, "cache": False}
        },
        "budget": {"trials": 2},
    }


@pytest.mark.slow
def test_fixed_atoms_change_nothing(tmp_path: Path) -> None:
    errors = {}
    for name in ("fixed", "free"):
        shutil.copyfile(CASES / f"{name}.xyz", tmp_path / f"{name}.xyz")
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(study(name)))
        xpot(tmp_path, "run", f"{name}.yaml", "--quiet")
        errors[name] = json.loads(xpot(tmp_path, "show", name, "--json"))["test"]
    assert isinstance(read(tmp_path / "fixed.xyz").constraints[0], FixAtoms)
    assert errors["fixed"] == errors["free"]
    assert errors["fixed"]["force_rmse"] == pytest.approx(0.0721, abs=1e-4)
    xpot(tmp_path, "export", "fixed", "--to", "out", "--scripts")
    out = tmp_path / "out"
    last = run(out, "validate.py").splitlines()[-1].split()
    assert last[0] == "all"
    assert float(last[2]) == pytest.approx(0.0721, abs=1e-4)
    # the user puts a file of their own in the place of ours
    shutil.copyfile(tmp_path / "fixed.xyz", out / "structure.xyz")
    free = shutil.copyfile(tmp_path / "free.xyz", tmp_path / "one.xyz")
    assert run(out, "ase_calculator.py", "structure.xyz") == run(out, "ase_calculator.py", str(free))
    written = read(out / "test.xyz", ":")
    assert not any(a.constraints for a in written)
    assert all(np.abs(a.arrays["REF_forces"]).any(axis=1).all() for a in written)
