"""What SQLite complains about in our words: what is wrong with the file, what is lost and what is not."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from xpot_core.errors import DamagedStoreError, InputError, XpotError

RESTORE = (
    "xpot show --verify lists what is damaged; restore the file from a copy, or start the study anew with "
    "xpot run --restart (what is here is kept beside it)"
)


def damaged(path: Path, what: str) -> DamagedStoreError:
    """The store holds what no study wrote."""
    return DamagedStoreError(f"is damaged: {what}", file=path, remedy=RESTORE)


def ran_in(directory: Path) -> list[str]:
    """The folders that trials and winners of a study leave."""
    return [part for part in ("trials", "best") if (directory / part).is_dir()]


def begun_without_store(directory: Path, name: str) -> DamagedStoreError | None:
    """What to tell of a folder in which trials ran and whose store is gone or empty; None for any other.

    Parameters
    ----------
    directory
        Run folder of a study.
    name
        Of the store in it.
    """
    path = directory / name
    if path.is_file() and path.stat().st_size:
        return None
    kept = ran_in(directory)
    if not kept:
        return None
    rest = " and ".join(f"{part}/" for part in kept)
    return DamagedStoreError(
        f"{'is empty' if path.is_file() else 'is missing'}, though the study ran: hyperparameters, losses and errors "
        f"of its trials are lost with it; the files in {rest} are not",
        file=path,
        remedy="put a copy of it back, or start the study anew with xpot run --restart, which keeps what is here "
        "beside it",
    )


def fault(error: sqlite3.Error, path: Path, opened: os.stat_result | None) -> XpotError:
    """The error to raise in the place of one of SQLite's.

    Parameters
    ----------
    error
        As SQLite raised it.
    path
        Of the store.
    opened
        What the file was when it was opened; None before.
    """
    text, name = str(error), getattr(error, "sqlite_errorname", None) or ""
    moved = _moved(path, opened)
    if moved:
        return DamagedStoreError(
            f"{moved} while it was in use: what is stored from now on would be lost",
            file=path,
            remedy="put the file back where it was, then run the same command again; if it was deleted, its trials "
            "are lost, and only a copy brings them back",
        )
    if "FULL" in name or "full" in text:
        remedy = "free some disk space and run the same command again; what is in the store is whole"
        return XpotError(f"{path}: {text}", remedy=remedy)
    if "BUSY" in name or "locked" in text:
        return XpotError(f"{path}: {text}", remedy="another process holds the file; wait for it or end it")
    if "CANTOPEN" in name or "unable to open" in text:
        remedy = "make the file and its folder readable and writable; the file was left as it is"
        return InputError(text, file=path, remedy=remedy)
    if "READONLY" in name or "readonly" in text or "PERM" in name:
        remedy = "make the file and its folder writable; the file was left as it is"
        return InputError(text, file=path, remedy=remedy)
    if "IOERR" in name and "SHORT_READ" not in name and "CORRUPTFS" not in name:
        remedy = "see that the disk and its file system work, then run the same command again"
        return XpotError(f"{path}: {text}", remedy=remedy)
    if "NOTADB" not in name and "no such" not in text:
        return damaged(path, text)
    return DamagedStoreError(f"is not a study store: {text}", file=path, remedy=RESTORE)


def _moved(path: Path, opened: os.stat_result | None) -> str:
    if opened is None:
        return ""
    try:
        now = path.stat()
    except FileNotFoundError:
        return "was removed"
    except OSError:
        return ""
    return (
        "" if (now.st_dev, now.st_ino) == (opened.st_dev, opened.st_ino) else "was replaced by another file"
    )
