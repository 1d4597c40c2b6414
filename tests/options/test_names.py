"""The core knows options by what plugins say of them, never by their names."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import xpot_core
from xpot_core.options.declare import walk_options
from xpot_core.options.roles import Role
from xpot_core.plugins.interfaces.provider import KINDS
from xpot_core.plugins.registry import load_registry

ROOT = Path(xpot_core.__file__).parent
OWN = {"builtin", "testing"}
"""Rooms of the core's own plugins, which know their options."""


def names_of_plugins() -> set[str]:
    """Names of the options of plugins that tempt to guess: those with a role, a range or choices."""
    registry = load_registry()
    found = set()
    for kind in KINDS:
        for name in registry.names(kind):
            owner = registry.owner(kind, name)
            assert owner is not None
            if owner.plugin in OWN:
                continue
            for option in walk_options(registry.provider(kind, name).options):
                if option.info.role or option.info.tune or option.info.choices:
                    found.add(option.path.rpartition(".")[2])
    return found


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and value of every text of a module but its docstrings and comments."""
    tree = ast.walk(ast.parse(source))
    nodes = list(tree)
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def test_the_core_holds_no_name_of_an_option() -> None:
    names = names_of_plugins()
    if not names:
        pytest.skip("no plugin is installed")
    roles = Path(inspect.getfile(Role))
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] in OWN:
            continue
        # The words of roles are declared in one place, and some plugins call an option by them.
        forbidden = names - set(Role) if path == roles else names
        found += [
            f"{path.relative_to(ROOT)}:{line}: {text}"
            for line, text in texts(path.read_text(encoding="utf-8"))
            if text in forbidden
        ]
    assert not found, "the core guesses by the names of options: " + "; ".join(found)


def test_a_guess_would_be_found() -> None:
    source = '"""Of rcutfac."""\nif name in ("rcutfac", "cutoff"):\n    """rcutfac"""\n    low = options["ridge"]\n'
    assert list(texts(source)) == [(2, "rcutfac"), (2, "cutoff"), (4, "ridge")]
