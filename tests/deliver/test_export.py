"""An export is there, complete, or not at all."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase.io import read, write

import xpot_core.deliver.export


@pytest.mark.parametrize("to", ["new", "deep/new", "empty", "."])
@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), ValueError("broken tool")]
)
def test_what_fails_leaves_nothing(
    done: Path,
    call: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    to: str,
) -> None:
    (folder / "work" / "empty").mkdir(parents=True)
    monkeypatch.chdir(folder / "work" / "empty" if to == "." else folder / "work")
    before = sorted(p for p in Path.cwd().rglob("*"))
    runs = ("--runs", folder / "runs")

    def fail(*arguments: Any) -> None:
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(xpot_core.deliver.export, "_write_provenance", fail)
        assert call("export", "argon", "--to", to, *runs).status != 0
    left = sorted(p for p in Path.cwd().rglob("*"))
    assert [p for p in left if p.name != "deep"] == before
    outcome = call("export", "argon", "--to", to, *runs)
    assert outcome.status == 0, outcome.err
    for line in (Path(to) / "SHA256SUMS").read_text().splitlines():
        assert (Path(to) / line.split("  ")[1]).is_file()
    assert not list(Path.cwd().rglob(".*"))


def test_an_export_that_was_killed_is_in_nobodys_way(done: Path, call: Any, folder: Path) -> None:
    for place in (folder / ".unfinished-out-123", folder / "there" / ".unfinished-there-9"):
        place.mkdir(parents=True)
        (place / "half.json").write_text("{")
    for to in ("out", "there"):
        assert call("export", done, "--to", to).status == 0
        assert (folder / to / "provenance.json").is_file()
    assert not list(folder.rglob(".unfinished*"))


def test_groups_that_look_like_numbers_in_the_scripts(
    study: Callable[..., Path], folder: Path, call: Any
) -> None:
    names = ("1", "001", "T", "2x", "1 2")
    frames = read("train.xyz", ":")
    for i, atoms in enumerate(frames):
        atoms.info["config_type"] = names[i % 5]
    write(folder / "groups.xyz", frames)
    path = study({"data": {"train": "groups.xyz", "validation": {"kfold": 2}}, "budget": {"trials": 1}})
    assert call("run", path).status == 0
    assert call("export", path, "--to", "out", "--scripts").status == 0
    done = subprocess.run(
        [sys.executable, "validate.py"], cwd=folder / "out", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in names:
        assert any(line[12:].startswith(f" {name} ") for line in done.stdout.splitlines()), done.stdout
    groups = json.loads(call("show", path, "--json").out)["trials"][0]["errors"]["validation"]["groups"]
    assert set(groups) == set(names)


EXPORTER = """
from xpot_core.api import hookimpl


@hookimpl
def xpot_export(request):
    (request.directory / "elements.txt").write_text(" ".join(request.potential.elements))
    return {"elements.txt": "the elements for another program"}
"""


def test_a_plugin_adds_files_to_the_potential_of_any_fitter(
    study: Callable[..., Path], folder: Path, call: Any
) -> None:
    (folder / "exporter.py").write_text(EXPORTER)
    path = study({"plugins": ["exporter.py"], "budget": {"trials": 1}})
    assert call("run", path, "--trust").status == 0
    outcome = call("export", path, "--to", "out")
    assert outcome.status == 0, outcome.err
    assert (folder / "out" / "elements.txt").read_text() == "Ar"
    assert "the elements for another program" in outcome.out
    assert "elements.txt" in (folder / "out" / "SHA256SUMS").read_text()
