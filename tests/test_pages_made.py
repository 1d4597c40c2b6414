"""Pages of the documentation that are made by running something: the notebook and the gallery."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xpot_core.plugins.registry import load_registry

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not beside the tests")


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "make_notebook.py"), run_name="make_notebook")


@pytest.fixture(scope="module")
def book() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DOCS / "examples" / "notebook.ipynb").read_text(encoding="utf-8"))
    return content


def test_the_notebook_is_that_of_its_source(tool: dict[str, Any], book: dict[str, Any]) -> None:
    """Edit docs/examples/notebook.py, then `make notebook`."""
    source = (DOCS / "examples" / "notebook.py").read_text(encoding="utf-8")
    assert tool["cells"](source) == [(c["cell_type"], "".join(c["source"])) for c in book["cells"]]


def test_the_page_is_that_of_the_notebook(tool: dict[str, Any], book: dict[str, Any]) -> None:
    text, images = tool["page"](book)
    assert text == (DOCS / "notebook.md").read_text(encoding="utf-8")
    stored = {p.name: p.read_text(encoding="utf-8") for p in (DOCS / "_static" / "notebook").iterdir()}
    assert images == stored
    assert images


def test_the_notebook_ended_without_errors(book: dict[str, Any]) -> None:
    outputs = [o for c in book["cells"] for o in c.get("outputs", [])]
    assert outputs
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert all(c["execution_count"] for c in book["cells"] if c["cell_type"] == "code")


@pytest.mark.slow
def test_the_notebook_runs() -> None:
    for name in ("nbclient", "ipykernel", "pandas", "matplotlib"):
        pytest.importorskip(name)
    registry = load_registry()
    if "snap" not in registry.names("fitter") or "skopt-gp" not in registry.names("optimizer"):
        pytest.skip("xpot-snap or xpot-skopt is not installed")
    code = (
        "import json, runpy, sys\n"
        "tool = runpy.run_path('docs/make_notebook.py', run_name='make_notebook')\n"
        "book = tool['executed'](tool['SOURCE'].read_text(encoding='utf-8'))\n"
        "print(tool['page'](book)[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DOCS.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "16 complete" in done.stdout


def test_the_gallery_has_its_figures() -> None:
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    shown = re.findall(r"^:::\{figure\} (\S+)$", text, re.MULTILINE)
    assert len(shown) > 10
    folder = DOCS / "_static" / "gallery"
    assert {f"_static/gallery/{p.name}" for p in folder.iterdir()} == set(shown)
    assert sum(p.stat().st_size for p in folder.iterdir()) < 1_500_000
    assert len(re.findall(r"^:alt: .{30,}$", text, re.MULTILINE)) == len(shown)


def test_the_gallery_shows_the_commands_of_its_maker() -> None:
    """Edit docs/make_gallery.py, then `make gallery`."""
    maker = runpy.run_path(str(DOCS / "make_gallery.py"), run_name="make_gallery")
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    for shown in maker["STUDIES"]:
        assert f"## {shown.title}\n\n{shown.text}\n" in text
        assert maker["_shell"](shown.command()) in text
