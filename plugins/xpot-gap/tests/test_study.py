"""GAP in a whole study through the command line, as users meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase.io import read, write
from gap_cases import make_data
from xpot_gap.gap_fit.runner import gap_fit_program

pytest.importorskip("quippy")

FAKE = """#!{python}
# gap_fit, but for the cutoffs that stand for a fault.
import os, signal, subprocess, sys
arguments = sys.argv[1:]
text = " ".join(arguments)
if "dryrun=T" not in arguments:
    if "cutoff=4.1" in text:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "cutoff=4.2" in text:
        sys.exit(0)
    if "cutoff=4.3" in text:
        print("SYSTEM ABORT: proc 0 Traceback: Mandatory argument(s) missing", file=sys.stderr)
        sys.exit(1)
sys.exit(subprocess.call([{real!r}, *arguments]))
"""


def xpot(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XPOT_TRUST": "1"}
    return subprocess.run(
        [sys.executable, "-c", "from xpot_core.cli import main; main()", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )


def write_frames(path: Path, n: int) -> None:
    images = []
    for frame in make_data(n).frames:
        atoms = frame.atoms.copy()
        atoms.info.update(REF_energy=frame.energy, REF_virial=frame.virial.ravel(), config_type=frame.group)
        atoms.arrays["REF_forces"] = frame.forces
        images.append(atoms)
    write(path, images)


def study(fitter: dict[str, Any], **changes: Any) -> str:
    content = {
        "study": "gap",
        "data": {"train": "train.xyz", "validation": {"kfold": 2}},
        "fitter": {"gap": fitter},
        "optimizer": "grid",
        "start_with": [],
        "budget": {"trials": 10},
        **changes,
    }
    return yaml.safe_dump(content)


@pytest.mark.slow
def test_faults_of_gap_fit_cost_one_trial_each(tmp_path: Path) -> None:
    write_frames(tmp_path / "train.xyz", 8)
    fake = tmp_path / "gap_fit"
    fake.write_text(FAKE.format(python=sys.executable, real=str(gap_fit_program())))
    fake.chmod(0o755)
    cutoff = {"choices": [4.0, 4.1, 4.2, 4.3]}
    fitter = {
        "descriptors": [{"distance_2b": {"cutoff": cutoff, "n_sparse": {"choices": [8, 100_000]}}}],
        "e0": "average",
        "engine": "gap_fit",
        "program": str(fake),
    }
    (tmp_path / "study.yaml").write_text(study(fitter))
    done = xpot(tmp_path, "run", "study.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(xpot(tmp_path, "show", "study.yaml", "--json").stdout)
    states = {
        (
            t["values"]["descriptors.0.distance_2b.cutoff"],
            t["values"]["descriptors.0.distance_2b.n_sparse"],
        ): t
        for t in shown["trials"]
    }
    assert len(states) == 8
    for (value, n_sparse), trial in states.items():
        expected = "INFEASIBLE" if n_sparse == 100_000 else "COMPLETE" if value == 4.0 else "FAILED"
        assert trial["state"] == expected, (value, n_sparse, trial["failure"])
        if expected != "COMPLETE":
            assert trial["failure"]["stage"] == "fit"
            assert trial["failure"]["hint"]
    assert shown["best"] == states[4.0, 8]["number"]
    assert (tmp_path / "runs" / "gap" / "best" / "gap.xml").is_file()


@pytest.mark.slow
def test_trials_with_another_delta_need_no_descriptors(tmp_path: Path) -> None:
    write_frames(tmp_path / "train.xyz", 6)
    delta = {"choices": [0.5, 1.0, 2.0]}
    fitter = {
        "descriptors": [{"distance_2b": {"cutoff": 4.0, "n_sparse": 8, "delta": delta}}],
        "e0": "average",
    }
    (tmp_path / "study.yaml").write_text(study(fitter))
    done = xpot(tmp_path, "run", "study.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    trials = json.loads(xpot(tmp_path, "show", "study.yaml", "--json").stdout)["trials"]
    assert [t["seconds"]["descriptors"] > 0 for t in trials] == [True, False, False]
    assert [t["seconds"]["kernel"] > 0 for t in trials] == [False, True, True]
    assert len({t["loss"] for t in trials}) == 3


@pytest.mark.slow
def test_variance_stands_in_the_files_of_predictions(tmp_path: Path) -> None:
    write_frames(tmp_path / "train.xyz", 6)
    fitter = {"descriptors": [{"distance_2b": {"cutoff": 4.0, "n_sparse": 8}}], "e0": "average"}
    (tmp_path / "study.yaml").write_text(study(fitter, predictor={"gap": {"variance": True}}))
    done = xpot(tmp_path, "run", "study.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("train", "validation"):
        images = read(tmp_path / "runs" / "gap" / "best" / f"predictions-{name}.xyz", ":")
        assert len(images) == 6
        assert all(atoms.info["pred_energy_variance"] > 0 for atoms in images)


@pytest.mark.slow
def test_unknown_groups_and_negative_delta_are_input_errors(tmp_path: Path) -> None:
    write_frames(tmp_path / "train.xyz", 6)
    good = {"descriptors": [{"distance_2b": {"cutoff": 4.0, "n_sparse": 8}}], "e0": "average"}
    (tmp_path / "study.yaml").write_text(study(good))
    for change, key in (
        ("fitter.gap.sigma_energy={Elastc: 0.1}", "fitter.gap.sigma_energy.Elastc"),
        ("fitter.gap.descriptors.0.distance_2b.delta=-1", "descriptors.0.distance_2b.delta"),
        ("fitter.gap.descriptors.0={soap: {zeta: 2.5}}", "descriptors.0.soap.zeta"),
    ):
        done = xpot(tmp_path, "run", "study.yaml", "--set", change)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "study.yaml" in done.stderr
        assert key in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_two_elements_on_dft_data(tmp_path: Path) -> None:
    root = Path(os.environ.get("XPOT_DATA", Path(__file__).parents[4] / "shared" / "data"))
    source = root / "inp" / "InP_train.xyz"
    if not source.is_file():
        pytest.skip(f"reference data {source} not here; set XPOT_DATA")
    images = [a for a in read(source, ":") if len(a) <= 64][::24]
    for atoms in images:
        atoms.info = {k: atoms.info[k] for k in ("REF_energy", "config_type")}
    write(tmp_path / "train.xyz", images[:-4])
    write(tmp_path / "test.xyz", images[-4:])
    groups = sorted({a.info["config_type"] for a in images[:-4]})
    fitter = {
        "descriptors": [
            {"distance_2b": {"cutoff": 5.0, "n_sparse": 10}},
            {"soap": {"cutoff": 4.5, "n_max": 4, "l_max": 3, "n_sparse": 40}},
        ],
        "e0": "average",
        "sigma_energy": {g: 0.002 * (i + 1) for i, g in enumerate(groups)},
    }
    data = {"train": "train.xyz", "validation": {"kfold": 2}, "test": "test.xyz"}
    (tmp_path / "study.yaml").write_text(study(fitter, data=data))
    done = xpot(tmp_path, "fit", "study.yaml", "--to", "out", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["potential"]["elements"] == ["In", "P"]
    assert result["errors"]["train"]["energy_rmse"] < 100
    assert result["errors"]["test"]["force_rmse"] < 1.0
