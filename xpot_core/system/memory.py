"""The memory of this machine, as far as this process may have it."""

from __future__ import annotations

from pathlib import Path

_GROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux says what a container or a job may have."""


def machine_memory(limits: tuple[Path, ...] = _GROUP_LIMITS) -> int:
    """Bytes of the machine, or of the container where it may have less."""
    import psutil  # takes a while to import

    found = [int(psutil.virtual_memory().total)]
    for path in limits:
        try:
            found.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # there is none, or it says max
            continue
    return min(found)
