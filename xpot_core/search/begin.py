"""Beginning a study: one process at a time makes, moves aside or takes its folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from xpot_core.errors import DamagedStoreError, StudyLockedError
from xpot_core.store.faults import begun_without_store
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.system.file_lock import try_lock

_PATIENCE = 60.0


@contextlib.contextmanager
def beginning(directory: Path) -> Iterator[None]:
    """Keep others from beginning the same study meanwhile.

    The lock is a file beside the folder, since the folder itself may be moved aside. It is gone afterwards.
    File systems that know no locks are done without: the transactions of the store then decide who was first.

    Parameters
    ----------
    directory
        Run folder of the study; need not exist.

    Raises
    ------
    StudyLockedError
        If another process has been beginning it for a minute.
    """
    path = directory.with_name(f".{directory.name}.lock")
    deadline = time.monotonic() + _PATIENCE
    while True:
        descriptor = _open(path)
        if descriptor is None:
            yield
            return
        try:
            if not _lock(descriptor, path, deadline):
                continue  # whoever had it removed it: the next one has to be waited for
            try:
                yield
            finally:
                # Before it is unlocked, so that those who wait see that it is not the file any more.
                with contextlib.suppress(OSError):
                    path.unlink()
            return
        finally:
            os.close(descriptor)


def _open(path: Path) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError:
        return None  # what cannot be written here is told by the store


def _lock(descriptor: int, path: Path, deadline: float) -> bool:
    """Wait for the lock; False if the file is another one by then. True also where there are no locks."""
    try:
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise StudyLockedError(
                    "another process is just beginning this study", remedy=f"wait for it, or end it ({path})"
                )
            time.sleep(0.05)
    except OSError:
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def take_store(directory: Path, *, restart: bool = False) -> Store:
    """Make or open the store of a study and become its one writer.

    Parameters
    ----------
    directory
        Run folder of the study; made where it is absent.
    restart
        Move what is there aside first.

    Raises
    ------
    StudyLockedError
        If another process runs the study; names its host and pid.
    DamagedStoreError
        If the store is missing from a folder in which trials ran, or is damaged.
    """
    with beginning(directory):
        if restart and directory.is_dir() and any(directory.iterdir()):
            move_aside(directory)
        lost = begun_without_store(directory, STORE_NAME)
        if lost is not None:
            raise lost
        directory.mkdir(parents=True, exist_ok=True)
        store = Store(directory / STORE_NAME)
        try:
            store.acquire()
        except BaseException:
            store.close()
            raise
        return store


def move_aside(directory: Path) -> Path:
    """Rename the folder of a family or study to ``<name>.old-<date>``; returns where it is.

    Raises
    ------
    StudyLockedError
        If a process runs one of its studies.
    """
    for path in (*directory.glob(STORE_NAME), *directory.glob(f"*/{STORE_NAME}")):
        try:
            with closing(Store(path, readonly=True)) as store:
                owner = store.owner()
        except DamagedStoreError:
            continue  # nobody can run it, and moving it aside is the way out
        if owner is not None:
            raise StudyLockedError(
                f"{path.parent} is being run by process {owner[1]} on host {owner[0]}",
                remedy="wait for it or end it, then use --restart",
            )
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for i in range(1, 1000):
        target = directory.with_name(f"{directory.name}.old-{stamp}" + (f"-{i}" if i > 1 else ""))
        if not target.exists():
            break
    # Not shutil.move, which would move into a folder that another process has made meanwhile.
    directory.rename(target)
    return target
