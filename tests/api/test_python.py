"""XPOT in Python: what can be guessed works, and costs nothing before it is used."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import xpot_core as xpot
from xpot_core.errors import InputError

ROOT = Path(__file__).parents[2]


def test_the_lines_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "guide" / "python.md").read_text(encoding="utf-8")
    lines = re.findall(r"^```pycon\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    test = doctest.DocTestParser().get_doctest("".join(lines), {}, "python.md", "python.md", 0)
    assert len(test.examples) >= 15
    told: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
    assert outcome.failed == 0, "".join(told)


def test_importing_loads_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import xpot_core as xpot; dir(xpot); "
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('xpot_core')), "
        "sorted(m for m in sys.modules if m.startswith('xpot_core')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[] ['xpot_core']"


def test_a_study_of_a_dictionary(
    folder: Path, raw: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    study = xpot.Study.from_dict(raw, folder, settings={"budget.trials": 3})
    assert raw["budget"] == {"trials": 4}  # is left alone
    done = xpot.run(study)
    assert [t.number for t in done.trials] == [0, 1, 2]
    assert "[3/3] trial" in capsys.readouterr().out
    assert xpot.open(study).best is not None
    assert xpot.run(raw, trials=4, progress=False).name == "argon"  # resumes
    assert len(done.refresh().trials) == 4
    assert len(done.trials) == 3
    assert not capsys.readouterr().out


def test_any_trial_gives_a_calculator(done: Path) -> None:
    from ase.io import read

    study = xpot.open(done)
    assert study.best is not None
    atoms = read("test.xyz")
    energies = []
    for trial in study.trials:
        atoms.calc = trial.calculator()
        energies.append(atoms.get_potential_energy())
    assert len(set(energies)) == len(study.trials)
    atoms.calc = study.best.calculator()
    assert atoms.get_potential_energy() == energies[study.best.number]


@pytest.mark.slow
def test_figures_report_and_export(done: Path, folder: Path) -> None:
    study = xpot.open("argon")
    assert study.figure("convergence").name == "convergence"
    with pytest.raises(InputError, match="no such figure"):
        study.figure("convergance")
    assert study.report(folder / "r.html").stat().st_size > 10_000
    assert study.best is not None
    assert (study.best.export(folder / "out") / "README.txt").exists() or any((folder / "out").iterdir())
    assert "argon" in study._repr_html_()
    assert "<table" in study.trials._repr_html_()


def test_wrong_input_is_told(folder: Path, study: Callable[..., Path], raw: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="neither a study file"):
        xpot.open("nothing")
    with pytest.raises(InputError, match="family"):
        xpot.run(study({"matrix": {"seed": [1, 2]}}))
    with pytest.raises(AttributeError):
        xpot.opne  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.slow
def test_a_notebook_gets_one_line_that_changes(folder: Path, raw: dict[str, Any]) -> None:
    """A real kernel: the line below the cell tells the end."""
    nbclient = pytest.importorskip("nbclient")
    from nbformat.v4 import new_code_cell, new_notebook

    code = f"import xpot_core as xpot\nxpot.run({raw!r}, trials=2);"
    book = new_notebook(cells=[new_code_cell(code)])
    client = nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    try:
        client.execute()
    except Exception as error:
        if "No such kernel" in str(error):
            pytest.skip("no kernel here")
        raise
    shown = [o.data["text/html"] for o in book.cells[0].outputs if o.output_type == "display_data"]
    assert len(shown) == 1
    assert "2 of 2 trials" in shown[0]
