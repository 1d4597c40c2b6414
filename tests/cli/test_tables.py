"""Every command with tables, at 80 columns and in a pipe, on a study with four groups and three sets."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase.io import read, write
from study_cases import FAULTY

from xpot_core.family import Family
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study, study_from_dict

GROUPS = ("bulk_rattled_300K", "isolated_atom_and_dimers", "liquid-quench-2000K", "surfaces")
TABLES = {
    "show": ["show", "wide"],
    "trial": ["show", "wide", "--trial", "best"],
    "outliers": ["show", "wide", "--outliers", "3"],
    "failed": ["show", "fails", "--failed"],
    "family": ["show", "family"],
    "ls": ["ls"],
    "best": ["best", "wide"],
    "validate": ["validate", "wide", "--with", "short-enough"],
    "learning-curve": ["learning-curve", "wide", "--fractions", "0.5,1", "--repeats", "2"],
    "compare": ["compare", "wide", "other"],
    "dry-run": ["run", "wide.yaml", "--set", "study=dry", "--dry-run"],
    "verify": ["show", "wide", "--verify"],
    "doctor": ["doctor", "wide.yaml", "--no-fit"],
    "fit": ["fit", "wide.yaml", "--set", "fitter.numpy-pair.cutoff=5.7"],
    "select": ["select", "wide", "--pool", "test.xyz", "--n", "4", "--committee", "2", "-o", "some.xyz"],
    "plugins": ["plugins"],
    "cache": ["cache"],
}
WITH_GROUPS = ("show", "trial", "outliers", "doctor")


@pytest.fixture(scope="module")
def prepared(argon_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished studies."""
    folder = tmp_path_factory.mktemp("four-groups")
    frames = [*read(argon_source / "train.xyz", ":"), *read(argon_source / "test.xyz", ":")]
    for i, atoms in enumerate(frames):
        atoms.info["config_type"] = GROUPS[i % 4]
    for name, part in {"train": frames[:10], "val": frames[10:14], "test": frames[14:]}.items():
        write(folder / f"{name}.xyz", part)
    for name, seed in {"wide": 1, "other": 2}.items():
        raw = {
            "study": name,
            "data": {"train": "train.xyz", "validation": "val.xyz", "test": "test.xyz"},
            "fitter": {
                "numpy-pair": {"cutoff": {"min": 5.6, "max": 5.8}, "widths": [0.5, 0.8], "n_basis": 4}
            },
            "optimizer": "sobol",
            "budget": {"trials": 3},
            "seed": seed,
            "plugins": [str(Path(__file__).parents[1] / "search_plugin.py")],
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
        Study(study_from_dict(raw, folder), folder / "runs").run()
    modes = {"faulty": {"mode": {"choices": ["ok", "exception", "fit-error"]}}}
    changes = {"study": "fails", "fitter": modes, "optimizer": "grid", "plugins": [str(FAULTY)]}
    Study(study_from_dict(raw | changes, folder), folder / "runs").run()
    (folder / "family.yaml").write_text(yaml.safe_dump(raw | {"study": "family", "budget": {"trials": 2}}))
    Family(read_study(folder / "family.yaml"), folder / "runs", repeat=2).run()
    return folder


@pytest.fixture
def at(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, to work in."""
    shutil.copytree(prepared, tmp_path / "at")
    monkeypatch.chdir(tmp_path / "at")
    return tmp_path / "at"


def _plain(text: str) -> list[str]:
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()]


@pytest.mark.parametrize("command", TABLES)
def test_at_80_columns_no_identifier_is_lost(
    at: Path, call: Callable[..., Any], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    outcome = call(*TABLES[command])
    assert outcome.status in (0, 1), outcome.err
    lines = _plain(outcome.out)
    # a path is one word, and no terminal makes it shorter
    too_wide = [line for line in lines if len(line) > 80 and "/" not in line]
    assert not too_wide
    assert "…" not in outcome.out
    if command in WITH_GROUPS:
        words = {word for line in lines for word in line.split()}
        assert set(GROUPS) <= words


@pytest.mark.parametrize("command", TABLES)
def test_in_a_pipe_a_row_is_a_line_with_tabs(at: Path, call: Callable[..., Any], command: str) -> None:
    outcome = call(*TABLES[command])
    lines = outcome.out.splitlines()
    tables = [line for line in lines if "\t" in line]
    assert tables or command in ("cache", "verify")  # which may have nothing to list
    assert "─" not in outcome.out
    assert not [line for line in lines if line.endswith(" ")]
    if command in WITH_GROUPS:
        names = {line.split("\t")[0].strip() for line in tables} | {
            line.split("\t")[1].strip() for line in tables
        }
        assert set(GROUPS) <= names


def test_wide_keeps_a_table_in_one_piece(
    at: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    pieces = [line for line in _plain(call("show", "wide").out) if line.startswith("RMSE by group")]
    assert [piece.split(": ")[1] for piece in pieces] == [
        "train (refit)",
        "validation (refit)",
        "test (refit)",
    ]
    whole = _plain(call("show", "wide", "--wide").out)
    assert [line for line in whole if line.startswith("RMSE by group")] == ["RMSE by group"]
    assert max(map(len, whole)) > 80


def test_a_cross_validation_counts_structures_of_the_data_set(done: Path, call: Callable[..., Any]) -> None:
    """Thirteen training structures in three folds: each stands in two fits."""
    lines = [line.split("\t") for line in call("show", "argon", "--trial", "best").out.splitlines()]
    heads = next(cells for cells in lines if cells[0].strip() == "group")
    total = next(cells for cells in lines if cells[0].strip() == "all")
    assert heads[1].strip() == "train (fold fits) n"
    assert total[1].strip() == "13"
    assert "train (refit)" in call("show", "argon").out
    assert "validation (3-fold)" in call("show", "argon").out
