"""Locks of open files, on every platform: the library that knows them all is loaded when one is taken."""

from __future__ import annotations

import os


def plain_flags(flags: int) -> int:
    """Flags of `os.open` with those that keep it off links and pipes, where the platform has them."""
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return flags


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process alone; it is free again when it is closed, or its process ends.

    Returns
    -------
    bool
        False if somebody else has it.

    Raises
    ------
    OSError
        If the file system or the platform knows no locks.
    """
    try:
        import portalocker
    except ImportError as error:  # an older installation that follows the sources
        raise OSError("portalocker is not installed") from error
    try:
        portalocker.lock(descriptor, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        raise OSError(f"no lock can be taken: {error}") from error
    return True
