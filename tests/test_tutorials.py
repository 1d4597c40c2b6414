"""The tutorials run as they stand: their data are made, and their studies searched, in the place of a user."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from xpot_core.results.read import StudyResults

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
Xpot = Callable[..., Any]

needs = {
    name: pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")
    for name in ("xpot_gap", "xpot_snap", "xpot_dask")
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def _make(script: str) -> None:
    subprocess.run([sys.executable, EXAMPLES / script, "."], check=True)


def _ran(name: str) -> StudyResults:
    results = StudyResults.open(name)
    assert results.best is not None
    assert results.final is not None
    return results


@needs["xpot_gap"]
@pytest.mark.slow
def test_gap(place: Path, xpot: Xpot) -> None:
    _make("make_copper.py")
    shutil.copy(EXAMPLES / "copper-gap.yaml", place)
    assert xpot("run", "copper-gap.yaml", "--trials", "2", "--quiet").status == 0
    results = _ran("copper-gap")
    errors = results.final_errors("test")
    assert errors is not None
    assert errors.shown_rmse("force") < 0.3
    assert xpot("export", "copper-gap", "--to", "copper-potential").status == 0
    assert "snap" not in (shown := xpot("cache").out)
    assert "copper-gap" in shown


@needs["xpot_snap"]
@pytest.mark.slow
def test_two_elements(place: Path, xpot: Xpot) -> None:
    _make("make_inp.py")
    made = xpot(
        "init", "--fitter", "snap", "--from-data", "inp_train.xyz", "--test", "inp_test.xyz", "-o", "inp.yaml"
    )
    assert made.status == 0, made.err
    page = (ROOT / "docs" / "tutorials" / "two-elements.md").read_text(encoding="utf-8")
    text = (place / "inp.yaml").read_text(encoding="utf-8")
    for line in ("wj: {In: 1.0, P: tune}", "radelem: {In: 0.5, P: tune}", "rcutfac: {min: 3.2, max: 6.2}"):
        assert line in page
        assert line in text
    assert "virial_share: 0.1" in text
    done = xpot("run", "inp.yaml", "--trials", "2", "--quiet", "--set", "fitter.snap.twojmax=4")
    assert done.status == 0, done.err
    assert {"wj.P", "radelem.P"} <= set(_ran("inp-snap").space.names)


@pytest.mark.slow
def test_choices(place: Path, xpot: Xpot) -> None:
    study = EXAMPLES / "silicon-pair.yaml"
    hot = "data.validation=../../examples/silicon/silicon_hot.xyz"
    for name, more in {"by-cv": [], "by-hot": ["--set", hot]}.items():
        done = xpot("run", study, "--trials", "2", "--quiet", "--set", f"study={name}", *more)
        assert done.status == 0, done.err
    compared = xpot("compare", "by-cv", "by-hot")
    assert compared.status == 0, compared.err
    family = EXAMPLES / "silicon-alpha.yaml"
    assert xpot("run", family, "--trials", "1", "--quiet").status == 0
    rows = [line.split("\t")[0].strip() for line in xpot("show", "silicon-alpha").out.splitlines()]
    assert {"0", "0.25", "0.5", "0.75", "1"} <= set(rows)


@pytest.fixture
def workers() -> Iterator[str]:
    """A scheduler and two workers as the tutorial starts them; gives the address."""
    dask = Path(sys.executable).with_name("dask")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:

        def start(*words: str) -> None:
            command = [dask, *words, "--no-dashboard"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.enter_context(process)
            stack.callback(process.terminate)

        start("scheduler", "--host", "127.0.0.1", "--port", str(port))
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline
            time.sleep(0.2)
        for _ in range(2):
            start("worker", address, "--nthreads", "1")
        yield address


@needs["xpot_dask"]
@pytest.mark.slow
def test_cluster(place: Path, workers: str, xpot: Xpot) -> None:
    study, there = EXAMPLES / "silicon-workers.yaml", ["--set", f"executor.dask.address={workers}"]
    assert xpot("run", study, "--dry-run", *there).status == 0
    assert not (place / "runs").exists()
    done = xpot("run", study, "--trials", "3", "--quiet", *there)
    assert done.status == 0, done.err
    assert all(t.worker for t in _ran("silicon-workers").trials)
