"""A folder that is replaced at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpot_core.system.replaced_folder import replaced_folder, whole_folder


def write(folder: Path, text: str) -> None:
    with replaced_folder(folder) as new:
        (new / "a").write_text(text)


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    write(folder, "one")
    write(folder, "two")
    assert (folder / "a").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]


def test_a_fault_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    write(folder, "one")
    with pytest.raises(FileNotFoundError), replaced_folder(folder) as new:
        (new / "a").write_text((tmp_path / "absent").read_text())
    assert (folder / "a").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]


def test_a_crash_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    write(folder, "one")
    folder.rename(tmp_path / "checkpoint.before")
    (tmp_path / "checkpoint.new-x").mkdir()
    assert whole_folder(folder) == folder
    assert (folder / "a").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]
    assert whole_folder(tmp_path / "none") is None
