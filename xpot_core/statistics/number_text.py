"""Numbers, durations and names as readers want them."""

from __future__ import annotations

import math
import time
from typing import Any


def fixed(value: float, digits: int = 3) -> str:
    """A measured value: always so many significant digits; a dash for NaN."""
    return "–" if math.isnan(value) else _decimal(value, digits, strip=False)


def number(value: Any, digits: int = 4) -> str:
    """A value as a reader wants it: few digits, no ``e+00``."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "–"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return "–" if math.isnan(value) else _decimal(value, digits)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(number(v, digits) for v in value) + "]"
    return str(value)


def _decimal(value: float, digits: int, *, strip: bool = True) -> str:
    """`digits` significant ones, written out where that is not too long: 1080, not 1.08e+03."""
    if math.isinf(value) or value == 0 or not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{value:.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if strip and "." in text else text


def shortened(name: str, most: int) -> str:
    """A name that fits: the end of a dotted path, or of a worker's name, says more than its beginning."""
    return name if len(name) <= most else "…" + name[-most + 1 :]


def duration(seconds: float) -> str:
    """Seconds as ``3.2 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if math.isnan(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if 10 <= minutes < 60:
        return f"{minutes} min"
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def ago(moment: float) -> str:
    """How long ago a moment in seconds since 1970 is, in the largest unit of which it is at least two."""
    seconds = time.time() - moment
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
