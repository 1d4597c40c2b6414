"""Imports run one way, and light commands stay light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import xpot_core
import xpot_core.api

ROOT = Path(xpot_core.__file__).parent
PLUGINS = ROOT.parent / "plugins"

# Each room may import what stands above it, never what stands below.
LAYERS = [
    ["logs", "bounds"],
    ["errors", "foreign_text", "types", "trials", "processes", "libraries", "interrupts", "cache"],
    ["options", "metrics", "isolated_atoms", "row_factors", "cells", "xyz_files"],
    ["missing_labels"],
    ["space", "validation"],
    ["space_reader"],
    ["observations", "finite_space"],
    ["interfaces"],
    ["hookspecs"],
    ["verbs"],
    ["registry"],
    ["study_config"],
    ["config"],
    ["trust"],
    ["sharing", "frame_labels"],
    ["unused_columns"],
    ["frames", "near_pairs"],
    ["misfits"],
    ["data"],
    ["outcome", "validators", "data_use"],
    ["objectives", "fidelity", "nested"],
    ["evaluation", "pipeline", "worker"],
    ["process_identity", "row_checksums"],
    ["rows", "lease", "ledger", "store_tables", "store_faults", "stored_shapes"],
    ["store_file"],
    ["store"],
    ["begin"],
    ["results"],
    ["asking", "stopping", "prior"],
    ["winner", "claim"],
    ["study"],
    ["family"],
    ["scripts"],
    ["doctor", "export", "proposal", "study_template", "skeleton"],
    ["committee"],
    ["physical_tests", "verify"],
    ["report"],
    ["cli"],
]
# The public face, the built-in plugin and the kit are plugins' side: they may import any room but the top.
PLUGIN_SIDE = {"api", "builtin", "testing"}


def imports(path: Path, *, everywhere: bool = True) -> Iterator[tuple[str, int]]:
    """Absolute names that a file imports; those for type checking alone do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree) if everywhere else tree.body:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.module or "", node.lineno


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "xpot_core"


def core_files() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def test_every_room_has_its_layer() -> None:
    rooms = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in core_files()}
    known = {r for layer in LAYERS for r in layer} | PLUGIN_SIDE
    assert rooms <= known, f"new rooms need a place in LAYERS: {sorted(rooms - known)}"


def test_imports_of_the_core_run_one_way() -> None:
    rank = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    faults = []
    for path in core_files():
        own = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for module, line in imports(path):
            if not module.startswith("xpot_core.") or room(module) == own:
                continue
            other = room(module)
            where = f"{path.relative_to(ROOT)}:{line} imports {module}"
            if own in PLUGIN_SIDE:
                if other == "cli":
                    faults.append(where)
            elif own == "cli" and other == "testing":
                continue  # `xpot plugins check` runs the kit
            elif other in PLUGIN_SIDE or rank[other] > rank[own]:
                faults.append(where)
    assert not faults, "\n".join(faults)


def test_core_imports_no_plugin() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in core_files()
        for module, line in imports(path)
        if module.startswith("xpot_") and not module.startswith("xpot_core")
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.skipif(not PLUGINS.is_dir(), reason="the plugins are not beside the core")
def test_plugins_import_the_api_alone_and_never_each_other() -> None:
    faults = []
    for package in sorted(PLUGINS.glob("*/xpot_*")):
        for path in package.rglob("*.py"):
            for module, line in imports(path):
                foreign = module.startswith("xpot_") and module.split(".")[0] not in (
                    package.name,
                    "xpot_core",
                )
                inner = module.split(".")[0] == "xpot_core" and module != "xpot_core.api"
                if foreign or inner:
                    faults.append(f"{path.relative_to(PLUGINS)}:{line} imports {module}")
        for path in (package.parent / "tests").rglob("*.py"):
            for module, line in imports(path):
                foreign = module.startswith("xpot_") and module.split(".")[0] not in (
                    package.name,
                    "xpot_core",
                )
                if foreign:
                    faults.append(f"{path.relative_to(PLUGINS)}:{line} imports {module}")
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
