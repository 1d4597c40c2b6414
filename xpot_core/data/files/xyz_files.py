"""Extended XYZ files before ASE reads them: counts that it would follow for ever, and words that look like numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xpot_core.errors import InputError


def check_counts(path: Path, key: str) -> int | None:
    """The number of structures of an XYZ file; refuse those whose counts of atoms do not fit their lines.

    ASE would look for the missing lines for ever, and leaves out what follows a blank line.
    """
    from ase.io.formats import filetype, open_with_compression

    if filetype(str(path)) not in ("xyz", "extxyz"):
        return None
    with open_with_compression(str(path), "rb") as stream:
        lines = stream.read().splitlines()

    def refuse(line: int, message: str, remedy: str) -> InputError:
        return InputError(message, file=path, line=line + 1, key=key, remedy=remedy)

    at = structures = 0
    while at < len(lines) and lines[at].strip():
        try:
            count = max(int(lines[at].decode("utf-8", "replace")), 0)  # as ASE takes it: +5, 1_000
        except ValueError:
            return None  # ASE says what it expected
        if at + 2 + count > len(lines):
            text = str(count) if count < 10**12 else "more than 10^12"
            left = max(len(lines) - at - 2, 0)
            message = f"says {text} atoms, and the file ends {left} lines after it"
            raise refuse(at, message, "the file is cut off or damaged: make it again")
        at += 2 + count
        structures += 1
        while at < len(lines) and lines[at].lstrip().startswith(b"VEC"):
            at += 1
    for rest in range(at, len(lines)):
        if lines[rest].strip():
            raise refuse(
                at, "is blank, and ASE would read nothing that follows it", "take the blank line out"
            )
    return structures


@contextmanager
def values_as_text(keys: Iterable[str]) -> Iterator[None]:
    """Let ASE's reader of extended XYZ leave the values of some info keys as they are written.

    It makes numbers and booleans of what looks like them: groups ``001`` and ``1`` would be one, ``T`` be True.
    """
    from ase.io import extxyz

    new = {key.lower() for key in keys} - extxyz.UNPROCESSED_KEYS
    extxyz.UNPROCESSED_KEYS.update(new)
    try:
        yield
    finally:
        extxyz.UNPROCESSED_KEYS.difference_update(new)
