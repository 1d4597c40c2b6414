"""Large files are parsed once: what comes from the cache is what was read, to the last bit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

from xpot_core.data.files import kept_frames, structure_files
from xpot_core.data.files.structure_files import read_frames
from xpot_core.errors import InputError
from xpot_core.study_file.schema import DataConfig, Keys
from xpot_core.types.structures import Frame


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Structures of every kind, and every file is large enough."""
    monkeypatch.setattr(kept_frames, "_WORTH", 1)
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    images: list[Atoms] = [bulk("Cu", cubic=True), molecule("H2O"), bulk("Si"), bulk("Si"), Atoms("H")]
    for number, atoms in enumerate(images):
        atoms.info |= {"E": float(rng.normal()), "config_type": ["001", "1", "ä b"][number % 3], "run": "7"}
        if number != 2:
            atoms.arrays["F"] = rng.normal(size=(len(atoms), 3))
        if number == 0:
            atoms.info |= {"V": rng.normal(size=9), "config_weight": 2.5, "energy_sigma": 0.1}
            atoms.info["other_energy"] = 3.0
            atoms.arrays["force_mask"] = np.array([True, False, False, False])
        if number == 1:
            atoms.info["force_sigma"] = 0.2
    write(tmp_path / "set.xyz", images, format="extxyz")
    return tmp_path / "set.xyz"


CONFIG = DataConfig(train=[], keys=Keys(energy="E", forces="F", virial="V", weight="config_weight"))


def _plain(frame: Frame) -> dict[str, Any]:
    found = {f.name: getattr(frame, f.name) for f in fields(frame) if f.name != "atoms"}
    atoms = frame.atoms
    found |= {"z": atoms.numbers, "x": atoms.positions, "cell": atoms.cell.array, "pbc": atoms.pbc}
    return {
        k: (v.dtype.kind, v.shape, v.tobytes()) if isinstance(v, np.ndarray) else v for k, v in found.items()
    }


def test_the_same_frames_without_reading(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unused: list[set[tuple[str, str]]] = [set(), set()]
    first = read_frames(file, CONFIG, unused=unused[0])
    with monkeypatch.context() as closed:
        closed.setattr(structure_files, "read_images", lambda *_, **__: pytest.fail("it was read again"))
        again = read_frames(file, CONFIG, unused=unused[1])
        renamed = read_frames(file.rename(file.with_name("b.xyz")), CONFIG)
    assert [_plain(f) for f in again] == [_plain(f) for f in first]
    assert unused[0] == unused[1]
    assert ("energy", "other_energy") in unused[0]
    assert [f.source for f in renamed] == [f"b.xyz#{i}" for i in range(5)]
    assert len(list((file.parent / "cache" / "data").iterdir())) == 1


def test_other_keys_and_other_bytes_are_read(file: Path) -> None:
    first = read_frames(file, CONFIG)
    other = DataConfig(train=[], keys=Keys(energy="E", forces=None, virial="V"))
    assert [f.forces for f in read_frames(file, other)] == [None] * 5
    file.write_text(file.read_text().replace("config_weight=2.5", "config_weight=3.5"))
    assert [f.weight for f in (first[0], read_frames(file, CONFIG)[0])] == [2.5, 3.5]


def test_what_is_wrong_is_told_each_time(file: Path) -> None:
    file.write_text(file.read_text().replace("config_weight=2.5", "config_weight=-1"))
    for _ in range(2):
        with pytest.raises(InputError, match="weight"):
            read_frames(file, CONFIG)
    assert not list((file.parent / "cache" / "data").glob("*.xpotcache"))


def test_small_files_are_not_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_frames, "_WORTH", 1e6)
    read_frames(file, CONFIG)
    assert not (file.parent / "cache").exists()
