"""Nothing of Unix alone is imported as a matter of course: no test of ours runs on other platforms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
SOURCES = [
    path
    for folder in (ROOT / "xpot_core", *ROOT.glob("libraries/*/xpot_*"), *ROOT.glob("plugins/*/xpot_*"))
    for path in folder.rglob("*.py")
]


def _unguarded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Imports that always run, those inside of functions and classes too."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try):
            named = [ast.unparse(h.type) for h in node.handlers if h.type is not None]
            if not any("ImportError" in name for name in named):
                yield from _unguarded(node.body)
            yield from _unguarded([*node.orelse, *node.finalbody])
        elif not (isinstance(node, ast.If) and "platform" in ast.unparse(node.test)):
            for name in ("body", "orelse"):
                yield from _unguarded(getattr(node, name, []))


def _faults(text: str) -> list[str]:
    found = []
    for node in _unguarded(ast.parse(text).body):
        names = (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [getattr(node, "module", "") or ""]
        )
        found += [f"line {node.lineno}: {n}" for n in names if n.partition(".")[0] in UNIX_ONLY]
    return found


def test_no_module_of_unix_alone_is_imported_unguarded() -> None:
    assert len(SOURCES) > 300
    found = {str(path.relative_to(ROOT)): _faults(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert not {path: faults for path, faults in found.items() if faults}


def test_an_unguarded_import_is_seen() -> None:
    assert _faults("def f():\n    import fcntl\n") == ["line 2: fcntl"]
    assert _faults("from resource import getrusage\n") == ["line 1: resource"]
    assert not _faults("try:\n    import resource\nexcept ImportError:\n    resource = None\n")
