"""``xpot show --verify``: what is damaged is named, with what to do; a sound study is said to be sound."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def test_a_sound_study_and_every_kind_of_damage(done: Path, folder: Path, call: Any) -> None:
    run = folder / "runs/argon"
    assert call("export", "argon", "--to", run / "bundle").status == 0
    sound = call("show", "argon", "--verify")
    assert (sound.status, "as it was written" in sound.out) == (0, True), sound.out
    for name in ("best/pair.json", "best/predictions-train.xyz", "bundle/provenance.json"):
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[:-2] + b"x" + content[-1:])
        found = call("show", "argon", "--verify")
        assert (found.status, f"{name} is not what was written" in found.out) == (1, True), found.out
        (run / name).unlink()
        found = call("show", "argon", "--verify")
        assert (found.status, f"{name} is missing" in found.out) == (1, True), found.out
        (run / name).write_bytes(content)
    with closing(sqlite3.connect(run / "study.sqlite")) as db:
        db.execute("UPDATE trials SET loss = 2 * loss WHERE number IN (0, 2)")
        db.commit()
    found = call("show", "argon", "--verify", "--json")
    report = json.loads(found.out)
    assert found.status == 1
    assert [f"trial {n}" in text for n, text in zip((0, 2), report["damaged"], strict=True)] == [True, True]
    assert "--restart" in report["remedies"][0]
    assert call("show", "argon").status == 2


def test_a_bundle_alone(done: Path, folder: Path, call: Any) -> None:
    assert call("export", "argon", "--to", "bundle").status == 0
    shutil.rmtree(folder / "runs")
    assert call("show", "bundle", "--verify").status == 0
    (folder / "bundle/SHA256SUMS").write_text("0" * 64 + "  ../train.xyz\n")
    found = call("show", "bundle", "--verify")
    assert (found.status, "line 1" in found.out) == (1, True)


def test_a_store_that_is_gone_is_told_by_every_command(done: Path, folder: Path, call: Any) -> None:
    (folder / "runs/argon/study.sqlite").unlink()
    for command in (["show", "argon"], ["report", "argon"], ["run", done], ["show", done]):
        found = call(*command)
        assert found.status == 2
        assert "are lost with it" in found.err
        assert "--restart" in found.err
    found = call("show", "argon", "--verify")
    assert (found.status, "are lost with it" in found.out) == (1, True)
    assert call("run", done, "--restart", "--quiet").status == 0
    assert len(list(folder.glob("runs/argon.old-*/best/pair.json"))) == 1


def test_a_changed_potential_is_made_again(done: Path, folder: Path, call: Any) -> None:
    path = folder / "runs/argon/best/pair.json"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    assert call("run", done, "--trials", 3).status == 0
    assert path.read_bytes() == content
