"""Cells without a volume, cells that no crystal has, and files whose counts cannot be."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from data_cases import Load, images

from xpot_core.data.checks.cells import fault_of_cell, volume_of
from xpot_core.errors import InputError
from xpot_core.plugins.registry import load_registry

CASES = Path(__file__).parents[2] / "cases" / "cells"
PLAIN = {"energy": "energy", "forces": "forces", "virial": None, "stress": "stress"}


@pytest.mark.parametrize(
    ("cell", "pbc", "fault"),
    [
        ([0.02] * 3, True, "repeats itself every 0.02 Å"),
        ([0.02, 5, 5], [True, False, False], "repeats itself every 0.02 Å"),
        ([0.1, 9, 9], [False, True, True], None),
        ([[10, 0, 0], [9.7, 0.2, 0], [0, 0, 0]], [True, True, False], "repeats itself every 0.361 Å"),
        ([[3, 0, 0], [6, 0, 0], [0, 0, 3]], True, "in one plane or on one line"),
        ([[3, 0, 0], [0, 3, 0], [3, 3, 0]], True, "in one plane or on one line"),
        ([[3, 0, 0], [3e4, 3, 0], [0, 0, 3]], True, "so skewed"),
        ([[3, 0, 0], [9, 3, 0], [0, 0, 3]], True, None),
        ([5, 5, 0], True, "length zero"),
        ([5, 5, 0], [True, True, False], None),
        ([0, 0, 0], False, None),
        ([[3, 0, 0], [0, 3, 0], [0, 0, -3]], True, None),
        ([1e9] * 3, True, "has a cell vector of"),
        (bulk("Cu").cell, True, None),
    ],
)
def test_cells_that_no_crystal_has(cell: Any, pbc: Any, fault: str | None) -> None:
    found = fault_of_cell(Atoms("Cu", cell=cell, pbc=pbc))
    assert (found is None) if fault is None else (fault in str(found))


def test_atoms_without_room() -> None:
    assert fault_of_cell(Atoms("Cu1000", cell=[3] * 3, pbc=True)) == "has 0.027 Å^3 per atom"
    assert fault_of_cell(Atoms("Cu1000", cell=[3] * 3)) is None


def test_volume_where_there_is_one() -> None:
    assert volume_of(Atoms(cell=[[0, 2, 0], [3, 0, 0], [0, 0, 4]])) == pytest.approx(24.0)
    for cell in (
        [0, 0, 0],
        [3, 3, 0],
        [[3, 0, 0], [0, 3, 0], [3, 3, 0]],
        [[3, 0, 0], [3, 1e-9, 0], [0, 0, 3]],
    ):
        assert volume_of(Atoms(cell=cell)) is None


def test_a_cluster_among_cells_has_no_virial(folder: Path, load: Load) -> None:
    train = str(CASES / "mol.xyz")
    frames = load(train=train, keys=PLAIN).data.frames
    assert [f.virial is not None for f in frames] == [True] * 17 + [False]
    made = read(train, ":")
    made[-1].calc.results["stress"] = np.full(6, 0.1)
    write(folder / "stressed.xyz", made)
    with pytest.raises(InputError, match=r"stressed\.xyz#17 has a stress and no volume") as caught:
        load(train="stressed.xyz", keys=PLAIN)
    assert caught.value.remedy


def test_every_command_takes_a_cluster_among_cells(study: Callable[..., Path], call: Any) -> None:
    fitter = {"snap": {"twojmax": 4, "rcutfac": 4.5, "vweight": 0.1}}
    if "snap" not in load_registry().names("fitter"):
        fitter = {"numpy-pair": {"ridge": 1e-6}}
    data = {"train": str(CASES / "mol.xyz"), "validation": {"kfold": 3}, "keys": PLAIN}
    path = study({"data": data, "fitter": fitter, "budget": {"trials": 1}})
    done = call("fit", path, "--json")
    errors = json.loads(done.out)["errors"]["train"]
    if "snap" in fitter:  # as for the same file without the zeros of the cluster
        assert errors["energy_rmse"] == pytest.approx(2.935, abs=1e-3)
        assert errors["force_rmse"] == pytest.approx(0.1102, abs=1e-4)
    assert call("run", path).status == 0
    assert call("doctor", path).status in (0, 1)
    assert call("init", "--from-data", CASES / "mol.xyz", "-o", "proposed.yaml").status == 0
    assert call("doctor", "proposed.yaml", "--no-fit").status in (0, 1)


def test_degenerate_cells_are_refused_with_file_and_frame(
    study: Callable[..., Path], folder: Path, call: Any
) -> None:
    made = images()
    made[3].set_cell([0.02] * 3)
    write(folder / "tiny.xyz", made, format="extxyz")
    path = study({"data": {"train": "tiny.xyz"}})
    for command in (["doctor", path], ["init", "--from-data", "tiny.xyz", "-o", "new.yaml"]):
        outcome = call(*command)
        assert outcome.status == 2
        assert "tiny.xyz#3 repeats itself every 0.02 Å" in outcome.err
        assert "remedy" in outcome.err


def text_of(frames: list[Atoms], folder: Path) -> str:
    write(folder / "plain.xyz", frames, format="extxyz")
    return (folder / "plain.xyz").read_text()


@pytest.mark.parametrize(
    "count", ["99999999999999999999", "1_000_000_000_000", "+7777777", "  88888888  ", "9" * 3000]
)
@pytest.mark.parametrize("name", ["bad.xyz", "bad.extxyz", "bad.XYZ", "bad", "bad.xyz.gz", "bad.xyz.bz2"])
def test_counts_beyond_the_file(folder: Path, load: Load, count: str, name: str) -> None:
    content = text_of(images(2), folder) + f"{count}\nProperties=species:S:1:pos:R:3\nAr 0 0 0\n"
    if name == "bad":  # without an ending ASE looks at the first line
        content = f"{count.strip('+ ').replace('_', '')}\nProperties=species:S:1:pos:R:3\nAr 0 0 0\n"
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(Path(name).suffix, bytes)
    (folder / name).write_bytes(pack(content.encode()))
    with pytest.raises(InputError, match=r"says .* atoms, and the file ends 1 lines after it") as caught:
        load(train=name)
    assert caught.value.line == (1 if name == "bad" else 7)


def test_cell_vectors_after_the_atoms_and_blank_lines(folder: Path, load: Load) -> None:
    content = text_of(images(6), folder)
    (folder / "end.xyz").write_text(content + "\n \n")
    assert len(load(train="end.xyz").data.frames) == 6
    block = "1\nREF_energy=1 Properties=species:S:1:pos:R:3:REF_forces:R:3\nAr 0 0 0 0 0 0\n"
    block += "VEC1 9 0 0\nVEC2 0 9 0\nVEC3 0 0 9\n"
    (folder / "vec.xyz").write_text(block + content)
    assert load(train="vec.xyz").data.frames[0].atoms.cell.lengths() == pytest.approx([9.0] * 3)
    (folder / "gap.xyz").write_text(content + "\n" + content)
    with pytest.raises(InputError, match="is blank, and ASE would read nothing that follows") as caught:
        load(train="gap.xyz")
    assert caught.value.line == 19


# -- groups and trajectories as they are written ---------------------------------------------------


def test_groups_that_look_like_numbers_stay_apart(folder: Path, load: Load) -> None:
    names = ("1", "001", "1.0", "T", "true", "2x", "1 2")
    write(folder / "g.xyz", images(14, names), format="extxyz")
    data = load(train="g.xyz").data
    assert data.groups == tuple(sorted(names))
    assert [f.group for f in data.frames[:7]] == list(names)
    for atoms in (made := images(12)):
        atoms.info["run"] = "1" if atoms.info["config_type"] == "a" else "001"
    write(folder / "g.xyz", made, format="extxyz")
    together = load(train="g.xyz", validation={"kfold": 2, "keep_together": "run"}).data
    assert {f.together for f in together.frames} == {"1", "001"}
    # Other readers in this process keep ASE's ways.
    assert read("g.xyz", 0).info["run"] == 1
