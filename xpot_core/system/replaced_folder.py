"""A folder whose content is replaced at once: after a crash the old one or the new one is there, never a mixture."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FORMER, _NEW = ".before", ".new-"


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Write the next content of a folder into the one given here; it takes the other's place at the end.

    Nothing changes where the block raises. Whoever reads the folder calls `whole_folder` first: between the two
    renames of a replacement the folder stands under another name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=folder.name + _NEW, dir=folder.parent))
    try:
        yield new
        former = folder.with_name(folder.name + _FORMER)
        if folder.exists():
            shutil.rmtree(former, ignore_errors=True)
            folder.rename(former)
        new.rename(folder)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def whole_folder(folder: Path) -> Path | None:
    """The folder as it was last replaced, put in its place if a crash came between; None if there is none.

    What unfinished replacements left is removed: for the only process that writes to the folder.
    """
    for left in folder.parent.glob(folder.name + _NEW + "*"):
        shutil.rmtree(left, ignore_errors=True)
    former = folder.with_name(folder.name + _FORMER)
    if former.is_dir():
        if folder.is_dir():
            shutil.rmtree(former, ignore_errors=True)
        else:
            former.rename(folder)
    return folder if folder.is_dir() else None
