"""A folder of somebody else: code that a study names runs after a question, names in it lead nowhere."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core.errors import InputError
from xpot_core.store import row_checksums
from xpot_core.study_file.read import read_study, study_from_dict
from xpot_core.study_file.trust import risks_of
from xpot_core.types.fitting import FittedPotential


@pytest.fixture(autouse=True)
def nobody_agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XPOT_TRUST")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def stranger(study: Callable[..., Path], folder: Path) -> tuple[Path, Path]:
    """A study with a plugin file, and what that leaves behind when it is run."""
    mark = folder / "ran"
    (folder / "evil.py").write_text(f'from pathlib import Path\nPath("{mark}").write_text("ran")\n')
    return study({"plugins": ["evil.py"]}), mark


def forget_modules() -> None:
    """Plugin files are imported once a process; here each command counts as a new one."""
    import sys

    from xpot_core.plugins.registry import load

    for name in [n for n in sys.modules if n.startswith("xpot_plugin_")]:
        del sys.modules[name]
    load._load.cache_clear()


@pytest.mark.slow
def test_code_of_a_study_runs_once_it_is_trusted(
    stranger: tuple[Path, Path], call: Any, folder: Path
) -> None:
    path, mark = stranger
    for command in (["run", path, "--trials", 2], ["fit", path], ["doctor", path, "--no-fit"]):
        outcome = call(*command)
        assert outcome.status == 2
        assert "evil.py" in outcome.err
        assert "--trust" in outcome.err
    assert not mark.exists()
    assert call("run", path, "--trials", 2, "--trust").status == 0
    assert mark.exists()
    # The answer is kept, for this content alone.
    assert call("run", path, "--trials", 2).status == 0
    for name in ("export", "validate", "select"):
        more = {"export": ["--to", "out"], "validate": [], "select": ["--pool", "test.xyz", "-o", "new.xyz"]}
        assert "trust" not in call(name, "argon", *more[name]).err
    (folder / "evil.py").write_text((folder / "evil.py").read_text() + "# changed\n")
    assert call("run", path, "--trials", 3).status == 2


@pytest.mark.slow
def test_commands_that_look_run_nothing(stranger: tuple[Path, Path], call: Any) -> None:
    path, mark = stranger
    assert call("run", path, "--trials", 2, "--trust").status == 0
    mark.unlink()
    shutil.copytree("runs/argon", "runs/other")
    forget_modules()
    looks = (
        ["show", "argon"],
        ["show", "argon", "--alpha", "0.3"],
        ["show", "argon", "--csv"],
        ["report", "argon"],
        ["compare", "argon", "runs/other", "--json"],
        ["plugins"],
        ["retry", "argon"],
    )
    for command in looks:
        assert call(*command).status == 0, command
    assert not mark.exists()


def test_programs_are_found_by_their_declaration(folder: Path, raw: dict[str, Any]) -> None:
    assert risks_of(study_from_dict(raw, folder)) == []
    gap = {**raw, "fitter": {"gap": {"program": "./gap_fit", "sigma_force": 0.1}}}
    (folder / "gap_fit").write_text("#!/bin/sh\n")
    (found,) = risks_of(study_from_dict(gap, folder))
    assert (found.key, found.value) == ("fitter.gap.program", "./gap_fit")
    assert found.content


def test_a_matrix_hides_nothing(folder: Path, raw: dict[str, Any]) -> None:
    (folder / "evil.py").write_text("")
    family = {**raw, "matrix": {"plugins": [[], ["evil.py"]]}}
    assert [r.key for r in risks_of(study_from_dict(family, folder))] == ["plugins"]


def test_the_question_on_a_terminal(
    stranger: tuple[Path, Path], xpot_command: list[str], folder: Path
) -> None:
    path, mark = stranger
    for answer, ran in ((b"n\n", False), (b"y\n", True)):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        done = subprocess.run(
            [*xpot_command, "fit", str(path), "--set", "fitter=numpy-pair"],
            cwd=folder,
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        os.close(theirs)
        os.close(ours)
        assert mark.exists() == ran
        assert (done.returncode == 0) == ran


@pytest.mark.slow
def test_modules_in_the_working_folder_do_not_replace_installed_ones(
    study: Callable[..., Path], xpot: Any, folder: Path
) -> None:
    for name in ("yaml", "ase", "random"):
        (folder / f"{name}.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nraise SystemExit(3)\n")
    outcome = xpot("run", study(), "--trials", 2, "--workers", 1, cwd=folder)
    assert outcome.status == 0, outcome.err
    assert not (folder / "ran").exists()


NAMES = [
    "../../evil",
    "/tmp/evil",
    "..",
    "",
    ".bashrc",
    "a/b",
    "a\\b",
    "a\nb",
    'a"; import os #',
    "-rf",
    3,
    None,
    "a" * 300,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_are_bare(name: Any) -> None:
    sound = {
        "format": "x",
        "directory": "best",
        "files": {"potential": "pair.json"},
        "elements": ["Ar"],
        "sha256": {"pair.json": "0"},
        "metadata": {},
        "seconds": {},
        "notes": [],
    }
    FittedPotential.from_json(sound)
    for changed in ({"files": {"potential": name}}, {"sha256": {name: "0"}}):
        with pytest.raises(InputError):
            FittedPotential.from_json({**sound, **changed})


@pytest.mark.parametrize("symbol", ["Ar'); import os", "\nshell rm", "ar", "", 3])
def test_elements_are_symbols(symbol: Any) -> None:
    facts = {"format": "x", "directory": "", "files": {}, "elements": [symbol], "sha256": {}, "notes": []}
    with pytest.raises(InputError):
        FittedPotential.from_json(facts)


def rewrite(store: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a store says about its winner, with a checksum that is right: that much anybody can do."""
    db = sqlite3.connect(store)
    final = json.loads(db.execute("SELECT value FROM meta WHERE key = 'final'").fetchone()[0])
    change(final)
    db.execute("UPDATE meta SET value = ? WHERE key = 'final'", (json.dumps(final),))
    # Whoever writes a hostile store writes checksums that hold.
    row_checksums.prepare(db)
    row_checksums.seal(db, "meta")
    db.commit()
    db.close()


def test_a_store_cannot_make_us_write_elsewhere(done: Path, call: Any, folder: Path) -> None:
    victim = folder / "victim"
    victim.write_text("mine")

    def climb(final: dict[str, Any]) -> None:
        name = next(iter(final["potential"]["files"].values()))
        final["potential"]["files"] = {"potential": "../../../victim"}
        final["potential"]["sha256"] = {"../../../victim": final["potential"]["sha256"][name]}

    rewrite(folder / "runs/argon/study.sqlite", climb)
    before = sorted(folder.rglob("*"))
    for command in (
        ["export", "argon", "--to", "out/deep"],
        ["report", "argon"],
    ):
        outcome = call(*command)
        assert outcome.status == 2, command
        assert "is no plain file name" in outcome.err
    assert victim.read_text() == "mine"
    assert [p for p in sorted(folder.rglob("*")) if p not in before and p.is_file()] == []


@pytest.mark.slow
def test_tables_of_validators_name_figures_and_no_places(done: Path, call: Any, folder: Path) -> None:
    table = {"x": [1.0, 2.5], "y": [1.0, 2.0]}
    row = {
        "validator": "../../up",
        "passed": True,
        "summary": "",
        "values": {},
        "tables": {"../../../../evil\x1b": table},
    }
    rewrite(folder / "runs/argon/study.sqlite", lambda final: final.update(validators=[row]))
    outcome = call("report", "argon", "--figures", "figures")
    assert outcome.status == 0, outcome.err
    assert all(p.parent == folder / "figures" for p in folder.rglob("*evil*"))
    assert list((folder / "figures").glob("*evil*"))


@pytest.mark.parametrize("name", ["../other", "/etc", "a/b", "..", 3])
def test_members_of_a_family_lie_in_its_folder(folder: Path, call: Any, name: Any) -> None:
    (folder / "runs/fam").mkdir(parents=True)
    row = {"name": name, "seed": 1, "values": {}, "state": "ended", "reason": ""}
    content = {"study": "fam", "matrix": {}, "repeat": 2, "members": [row]}
    (folder / "runs/fam/family.json").write_text(json.dumps(content))
    assert call("show", "fam").status == 2


def test_members_of_a_committee_lie_in_its_folder(done: Path, call: Any, folder: Path) -> None:
    assert call("run", done, "--trials", 6).status == 0
    assert call("export", "argon", "--committee", 2, "--to", "c").status == 0
    path = folder / "c/committee.json"
    content = json.loads(path.read_text())
    shutil.move(folder / "c" / content["members"][0]["potential"]["directory"], folder / "outside")
    content["members"][0]["potential"]["directory"] = "../outside"
    path.write_text(json.dumps(content))
    outcome = call("select", "argon", "--pool", "test.xyz", "--committee-dir", "c", "-o", "new.xyz")
    assert outcome.status == 2
    assert "is no plain file name" in outcome.err


@pytest.mark.slow
def test_reports_and_figures_replace_only_their_own(done: Path, call: Any, folder: Path) -> None:
    precious = folder / "thesis.html"
    precious.write_text("<html>mine</html>")
    shutil.copytree("runs/argon", "runs/other")
    for command in (["report", "argon"], ["compare", "argon", "runs/other"]):
        outcome = call(*command, "-o", precious)
        assert outcome.status == 2
        assert "not written over" in outcome.err
    assert precious.read_text() == "<html>mine</html>"
    assert call("report", "argon", "-o", "own.html", "--figures", "own").status == 0
    assert call("report", "argon", "-o", "own.html", "--figures", "own").status == 0
    (folder / "other").mkdir()
    (folder / "other/convergence.csv").write_text("mine")
    assert call("report", "argon", "-o", "own.html", "--figures", "other").status == 2
    assert (folder / "other/convergence.csv").read_text() == "mine"


@pytest.mark.slow
def test_links_that_somebody_laid_are_not_followed(done: Path, call: Any, folder: Path) -> None:
    victim = folder / "victim"
    victim.write_text("mine")
    (folder / "runs/argon/report.html.new").symlink_to(victim)
    assert call("report", "argon").status == 0
    (folder / "runs/argon/report.html").unlink()
    (folder / "runs/argon/report.html").symlink_to(victim)
    assert call("report", "argon").status == 2
    assert victim.read_text() == "mine"


def test_own_study_without_such_files_is_never_asked(study: Callable[..., Path], call: Any) -> None:
    path = study()
    assert read_study(path).config.plugins == []
    assert call("run", path, "--trials", 1).status == 0
