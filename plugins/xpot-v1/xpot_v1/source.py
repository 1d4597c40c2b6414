"""The files of an old sweep: input, script and table of parameters."""

from __future__ import annotations

import ast
import json
import os.path
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpot_core.api import InputError


@dataclass(frozen=True)
class Sweep:
    """What was given.

    Attributes
    ----------
    path
        The input.
    blocks
        Its content.
    settings
        Of the script: ``n_calls``, ``n_initial_points`` and the other arguments of the optimizer.
    table
        The trials that were made.
    """

    path: Path
    blocks: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    table: Path | None = None


def sweep_from(source: str) -> Sweep:
    """Read the files that a source names: an input, and a script or a table beside it.

    Raises
    ------
    InputError
        If a file cannot be read, or there is no input among them.
    """
    try:
        names = [source] if os.path.isfile(source) else shlex.split(source)
        paths = [Path(name) for name in names if os.path.isfile(name)]
    except ValueError as error:  # quotes that do not close, or no name of a file at all
        raise InputError(f"names no files: {error}", value=source) from error
    if not names or len(paths) < len(names):
        raise InputError("is no file", value=source, remedy="name an hjson input of XPOT 1.x")
    inputs: list[tuple[Path, dict[str, Any]]] = []
    settings: dict[str, Any] = {}
    table = None
    for path in paths:
        if path.suffix == ".csv":
            table = path
        elif path.suffix in (".py", ".ipynb"):
            settings |= script_settings(path)
        else:
            inputs.append((path, blocks_of(path)))
    if len(inputs) != 1:
        raise InputError(f"names {len(inputs)} inputs", value=source, remedy="name one hjson input")
    return Sweep(*inputs[0], settings, table)


def blocks_of(path: Path) -> dict[str, Any]:
    """The content of an hjson input."""
    import hjson

    try:
        text = path.read_text(encoding="utf-8")
        content = hjson.loads(text) if "xpot" in text else None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except (hjson.HjsonDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is no hjson: {error}", file=path) from error
    if not isinstance(content, dict) or not isinstance(content.get("xpot"), dict):
        raise InputError("has no block xpot", file=path, remedy="is it an input of XPOT 1.x?")
    blocks: dict[str, Any] = json.loads(json.dumps(content))
    return blocks


def script_settings(path: Path) -> dict[str, Any]:
    """Numbers and texts that a script, or a notebook, gives to names and in dictionaries."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text).get("cells", ())
        text = "\n".join("".join(c["source"]) for c in cells if c.get("cell_type") == "code")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise InputError(f"is no Python script: {error}", file=path) from error
    return dict(_settings(tree))


def _settings(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    for node in ast.walk(tree):
        pairs: list[tuple[Any, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(t.id, node.value) for t in node.targets if isinstance(t, ast.Name)]
        elif isinstance(node, ast.Dict):
            pairs = [
                (k.value, v)
                for k, v in zip(node.keys, node.values, strict=True)
                if isinstance(k, ast.Constant)
            ]
        elif isinstance(node, ast.Call):
            pairs = [(k.arg, k.value) for k in node.keywords if k.arg]
        for name, value in pairs:
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float | str):
                yield str(name), value.value
