"""Numbers in the settings of a descriptor."""

from __future__ import annotations

import re


def setting(text: str, name: str) -> float | None:
    """The number that a descriptor gives to a key."""
    match = re.search(rf"\b{name}=(\S+)", text)
    return float(match[1]) if match else None
