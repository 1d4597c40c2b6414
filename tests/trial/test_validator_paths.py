"""Files that validators read start from the folder of the study file."""

from __future__ import annotations

from pathlib import Path

from xpot_core.options.declare import OptionsModel, option
from xpot_core.trial.run_validators import with_paths


class Inner(OptionsModel):
    file: str | None = option(None, "A file.", tunable=False, path=True)
    name: str = option("x", "No file.", tunable=False)


class Outer(OptionsModel):
    structure: Inner = option(Inner, "Where from.", tunable=False)
    folder: str | None = option(None, "A folder.", tunable=False, path=True)


def test_relative_paths_start_from_the_base(tmp_path: Path) -> None:
    given = {"structure": {"file": "a/b.xyz", "name": "a/b"}, "folder": "/far"}
    found = with_paths(Outer, given, tmp_path)
    assert found == {"structure": {"file": str(tmp_path / "a/b.xyz"), "name": "a/b"}, "folder": "/far"}
    assert given["structure"]["file"] == "a/b.xyz"
    Outer.model_validate(found)


def test_what_is_not_there_stays_so(tmp_path: Path) -> None:
    assert with_paths(Outer, {}, tmp_path) == {}
    assert with_paths(Outer, {"folder": None, "odd": 1}, tmp_path) == {"folder": None, "odd": 1}
    assert with_paths(Outer, None, tmp_path) is None
    assert with_paths(Outer, {"structure": "wrong"}, tmp_path) == {"structure": "wrong"}
