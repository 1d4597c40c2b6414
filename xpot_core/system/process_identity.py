"""Which process this is: what tells it from one with the same number in another container or after a restart."""

from __future__ import annotations

import functools
import os
import secrets
from pathlib import Path

_tokens: dict[int, str] = {}


def process_token() -> str:
    """A random text of this process alone; a forked one gets its own."""
    return _tokens.setdefault(os.getpid(), secrets.token_hex(16))


if hasattr(os, "register_at_fork"):
    # A child in another pid namespace may have the number of its parent.
    os.register_at_fork(after_in_child=_tokens.clear)


@functools.cache
def boot_id() -> str | None:
    """What the kernel calls this run of the machine; None where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def pid_namespace() -> str | None:
    """Where process numbers mean the same, e.g. ``pid:[4026531836]``; None where the system does not say."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except (OSError, AttributeError):
        return None
