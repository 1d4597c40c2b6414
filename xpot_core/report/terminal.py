"""How tables look on a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table


def plain_table(*heads: str, title: str | None = None) -> Table:
    """An empty table with a line under its head; its title stands at the left."""
    return Table(*heads, title=title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
