"""Text from outside: shown as it is, stored without harm, different where it was different."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase.io import read, write

from xpot_core.cli.common import print_json
from xpot_core.report.html.page import environment
from xpot_core.report.tables.terminal import PlainConsole
from xpot_core.system.foreign_text import csv_text, file_name_of, is_file_name, json_printable, printable

HOSTILE = {
    "escape": "hot\x1b[31m\x1b]0;title\x07",
    "c1": "hot\x9b31m",
    "markup": "[red]hot[/red] [link=x]",
    "emoji": ":skull:",
    "formula": '=HYPERLINK("http://x","y")',
    "plus": "+cmd|' /C calc'!A0",
    "turned": "hot\u202etoh",
    "html": "<script>alert(1)</script>&\"'",
    "lines": "hot\u2028cold",
    "plain backslash": "\\xi-phase",
    "written escape": "hot\\x1b[31m",
    "word": "größe 中 é",
}


def test_different_texts_stay_different() -> None:
    parts = ["\\", "x1b", "\x1b", "y", "\ud800", "ud800", "\n"]
    texts = {"".join(t) for n in range(1, 5) for t in itertools.product(parts, repeat=n)}
    shown = {printable(t) for t in texts}
    assert len(shown) == len(texts)
    assert all(t.isprintable() for t in shown)


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("größe 中 é", "\\xi-phase", "C:\\users", "a b", "=x", "[red]", "\\alpha_2"):
        assert printable(text) == text


def test_formulas_become_text_and_numbers_stay_numbers() -> None:
    cells = ["=1+1", "+1", "-1.5e3", "@SUM(A1)", "-x", "–", "-", "\t=1", "plain", -2.5, None]
    row = next(csv.reader(io.StringIO(csv_text(["=a"], [cells]).partition("\n")[2])))
    assert row == ["'=1+1", "+1", "-1.5e3", "'@SUM(A1)", "'-x", "–", "-", "'\t=1", "plain", "-2.5", ""]
    assert csv_text(["=a"], []) == "'=a\n"


def test_file_names_of_text() -> None:
    for text in (*HOSTILE.values(), "../../x", "/", "", "..", ".bashrc", "\ud800", "-rf", "a" * 500):
        assert is_file_name(file_name_of(text)), text


def test_the_console_shows_no_markup_and_no_escape() -> None:
    from rich.table import Table

    out = io.StringIO()
    console = PlainConsole(file=out, force_terminal=True, width=200, color_system="truecolor")
    table = Table("[bold]head", title="[red]title")
    for text in HOSTILE.values():
        table.add_row(text)
        console.print(text)
    console.print(table)
    shown = out.getvalue()
    for bad in ("\x1b[31m", "\x1b]0", "\x9b", "\x07", "\u202e", "💀"):
        assert bad not in shown
    for literal in ("[red]hot[/red]", "[bold]head", "[red]title", ":skull:"):
        assert literal in shown


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"a": ["\ud800", "\x1b", "\x9b", "\u202e", "é"]}
    print_json(data)
    out = capsys.readouterr().out
    assert "\x9b" not in out
    assert json.loads(out) == data == json.loads(json_printable(json.dumps(data, ensure_ascii=False)))


def test_pages_escape() -> None:
    shown = environment().from_string("{{ text }}").render(text="<b>\x1b\ud800")
    assert shown == "&lt;b&gt;\\x1b\\ud800"


@pytest.fixture
def hostile(study: Callable[..., Path], folder: Path) -> Path:
    """A study whose groups are named by a stranger."""
    frames = read("train.xyz", ":")
    for frame, name in zip(frames, itertools.cycle(HOSTILE.values()), strict=False):
        frame.info["config_type"] = name
    write("hostile.xyz", frames)
    cutoff = {
        "numpy-pair": {"cutoff": {"min": 4.0, "max": 6.5}, "energy_weight": {"tune": True, "per": "group"}}
    }
    data = {"train": "hostile.xyz", "validation": {"fraction": 0.1}}
    return study({"data": data, "fitter": cutoff})


@pytest.mark.slow
def test_hostile_groups_reach_nothing(hostile: Path, call: Any, folder: Path) -> None:
    """The whole way: run, tables, CSV, JSON, report and figures."""
    assert call("run", hostile, "--trials", 2).status == 0
    for command in (
        ["show"],
        ["show", "--csv"],
        ["show", "--json"],
        ["show", "--trial", "0"],
        ["doctor", "--no-fit"],
    ):
        outcome = call(command[0], hostile, *command[1:])
        assert outcome.status in (0, 1), outcome.err
        for text in (outcome.out, outcome.err):
            assert not any(c in text for c in ("\x1b", "\x9b", "\x07", "\u202e", "\u2028")), command
    rows = list(csv.reader(io.StringIO(call("show", hostile, "--csv").out)))
    assert not any(cell.startswith(("=", "@")) for row in rows for cell in row)
    names = json.loads(call("show", hostile, "--json").out)["trials"][0]["values"]
    assert len({n for n in names if n.startswith("energy_weight.")}) == len(HOSTILE)
    outcome = call("report", hostile, "--figures", "figures")
    assert outcome.status == 0, outcome.err
    page = (folder / "runs/argon/report.html").read_text()
    assert "<script>" not in page
    assert not any(c in page for c in ("\x1b", "\x9b", "\u202e"))


@pytest.mark.slow
def test_a_folder_whose_name_is_no_utf8(study: Callable[..., Path], xpot: Any, folder: Path) -> None:
    place = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9 \x1b[31m"))
    place.mkdir()
    for name in ("train.xyz", "test.xyz"):
        shutil.copy(folder / name, place / name)
    os.rename(place / "train.xyz", place / os.fsdecode(b"\xff.xyz"))
    text = study().read_text().replace("train.xyz", "'*.xyz'")
    (place / "study.yaml").write_text(text.replace("'*.xyz'", '"../train.xyz"'))
    for command in (
        ["run", "study.yaml", "--trials", "2"],
        ["show", "argon"],
        ["report", "argon"],
        ["export", "argon", "--to", "out"],
        ["run", place / "study.yaml", "--workers", "1", "--trials", "3"],
        ["run", place / "nothing.yaml"],
    ):
        outcome = xpot(*command, cwd=place)
        assert outcome.status == (2 if "nothing" in str(command[1]) else 0), outcome.err
        assert "\x1b" not in outcome.out + outcome.err
        assert "fault of" not in outcome.err
