"""What a panel of the page consists of: figures for plotly's JavaScript, tables, logs; all of it plain JSON.

Nothing here is HTML. The page puts texts in place as texts; plotly alone takes simple markup, so texts for it go
through `plain`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from xpot_core.report.plotted.scales import log_scale_fits, robust_limits
from xpot_core.system.foreign_text import printable
from xpot_core.types.structures import FloatArray

INK, SOFT = "@ink", "@soft"
"""Colours of text and of lines beside it, which the page has one of for light and one for dark."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """Traces and layout as plotly takes them, with what is to be said about them.

    Attributes
    ----------
    width
        Pixels that it needs at least; on narrow screens it is scrolled.
    half
        Two of them stand side by side on a wide page.
    """

    title: str
    data: Sequence[Json]
    layout: Json
    caption: str = ""
    height: int = 340
    width: int = 0
    half: bool = False
    kind: str = "figure"


@dataclass(frozen=True)
class Table:
    """Rows of texts; a row may name a structure, which a click shows.

    Attributes
    ----------
    structures
        Set and index of the structure of each row; empty where rows are none.
    texts
        Columns that hold words: these are aligned to the left.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[int] = (0,)
    structures: Sequence[tuple[str, int]] = ()
    caption: str = ""
    kind: str = "table"


@dataclass(frozen=True)
class Log:
    """Text as a program wrote it, folded."""

    title: str
    text: str
    kind: str = "log"


@dataclass(frozen=True)
class Cards:
    """Values in large letters with what they are."""

    cards: Sequence[tuple[str, str]]
    kind: str = "cards"


@dataclass(frozen=True)
class Choice:
    """Something that the reader of a panel chooses; the answer comes back under its name."""

    name: str
    label: str
    choices: Sequence[tuple[str, str]]
    value: str


@dataclass(frozen=True)
class Panel:
    """One view of a study."""

    parts: Sequence[Figure | Table | Log | Cards]
    notes: Sequence[str] = ()
    choices: Sequence[Choice] = field(default_factory=tuple)

    def to_json(self) -> Json:
        """What the page gets; every text can be shown."""
        found: Json = _shown(self)
        return found


def _shown(data: Any) -> Any:
    """The same with texts that a page can hold and numbers that JSON has."""
    if isinstance(data, str):
        return printable(data, lines=True)
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if is_dataclass(data):
        return {f.name: _shown(getattr(data, f.name)) for f in fields(data)}
    if isinstance(data, Mapping):
        return {key: _shown(value) for key, value in data.items()}
    return [_shown(value) for value in data] if isinstance(data, list | tuple | range) else data


def plain(text: object) -> str:
    """Text for plotly, which would take ``<b>`` and ``<a>`` for markup."""
    return html.escape(printable(text), quote=False)


def lines(*parts: str) -> str:
    """Lines of a hover label, each made `plain`."""
    return "<br>".join(plain(p) for p in parts if p)


def column(values: FloatArray | Sequence[float]) -> list[float | None]:
    """Numbers for JSON, seven digits of them; None for what is not finite."""
    return [float(f"{v:.7g}") if math.isfinite(v) else None for v in np.asarray(values, dtype=float).tolist()]


def axis(label: str, values: FloatArray | None = None, *, factor: float = 5.0) -> Json:
    """An axis; with `values` logarithmic where they spread, and ending where few of them lie beyond."""
    found: Json = {"title": {"text": "<br>".join(plain(part) for part in label.split("\n"))}}
    known = np.empty(0) if values is None else values[np.isfinite(values)]
    if known.size:
        log = log_scale_fits(known, factor)
        low, high = robust_limits(known, log)
        ends = (math.log10(low), math.log10(high)) if log else (low, high)
        found |= {"type": "log" if log else "linear", "range": list(ends)}
    return found


def beyond(values: FloatArray) -> int:
    """How many values the `axis` of them leaves out at first."""
    known = values[np.isfinite(values)]
    return int((known > robust_limits(known, log_scale_fits(known, 5.0))[1]).sum()) if known.size else 0


def markers(x: Any, y: Any, name: str, colour: Any, texts: Sequence[str], **marker: Any) -> Json:
    """A scatter trace whose points say `texts` when the mouse is over them."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(name),
        "x": x if isinstance(x, list) else column(x),
        "y": y if isinstance(y, list) else column(y),
        "text": list(texts),
        "hoverinfo": "text",
        "marker": {"color": colour, "size": 6, **marker},
    }


def line(x: Any, y: Any, name: str, colour: str, **style: Any) -> Json:
    """A line without points."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name),
        "x": x if isinstance(x, list) else column(x),
        "y": y if isinstance(y, list) else column(y),
        "hoverinfo": "skip",
        "line": {"color": colour, "width": 2, **style},
    }
