"""How text and tables look on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from xpot_core.system.foreign_text import printable


class PlainConsole(Console):
    """A console for text from outside: brackets are no markup, and what cannot be printed is written out."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As in rich; control codes of rich itself stay."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text, lines=True), style)


def plain_table(*heads: str, title: str | None = None) -> Table:
    """An empty table with a line under its head; its title stands at the left."""
    return Table(*heads, title=title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
