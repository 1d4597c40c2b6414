"""How text and tables look on a terminal, and in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from xpot_core.system.foreign_text import printable

_TEXT_WIDTH = 16
"""A column of words gets at least so much where the table is too wide."""
_LONGEST_WORD = 40
"""Words up to this length are not broken: names of groups and hyperparameters stand in texts too."""
_PADDED_WIDTH = 40
"""In a pipe columns up to this width are padded, so that they stand below each other."""


class PlainConsole(Console):
    """A console for text from outside: brackets are no markup, and what cannot be printed is written out.

    Parameters
    ----------
    wide
        Nothing is wrapped: the terminal's width does not count.
    """

    def __init__(self, *, wide: bool = False, **settings: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **settings)
        if wide or not self.is_terminal:
            self.soft_wrap = True
            self.width = 10_000 if wide else settings.get("width", 160)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As in rich; control codes of rich itself stay."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text, lines=True), style)


@dataclass(frozen=True)
class Column:
    """A column of a `PlainTable`.

    Attributes
    ----------
    head
        May have several lines.
    kind
        A ``name`` is never broken, and stands in front of every block of a wide table; nor is a ``number``,
        which stands to the right; a ``text`` is broken between words.
    block
        Columns with the same one, e.g. those of one set, stay together.
    """

    head: str
    kind: Literal["name", "number", "text"] = "number"
    block: str = ""


class PlainTable:
    """A table that keeps its identifiers whatever the width.

    On a terminal it is one table where that fits, else one for each block of columns, with the names in front
    of each. In a pipe it is one line a row with tabs between the cells.

    Parameters
    ----------
    columns, rows
        Cells are text, which may come from outside, or `Text` with a style.
    title
        Stands above, at the left.
    total
        The last row sums up the others.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[str | Text]],
        *,
        title: str | None = None,
        total: bool = False,
    ) -> None:
        self.columns = tuple(columns)
        self.rows = [tuple(c if isinstance(c, Text) else Text(c) for c in row) for row in rows]
        self.title, self.total = title, total

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from self._piped()
            return
        everything = range(len(self.columns))
        one = self._fits(everything, console, options)
        for block, chosen in [("", everything)] if one else self._blocks(console, options):
            title = ": ".join(filter(None, (self.title, block)))
            if title:
                yield Text(title, "italic")
            yield self._table(chosen, block)
            yield Text()

    def _piped(self) -> Iterable[Segment]:
        """Cells with tabs between them, padded so that columns stand below each other."""
        rows = [[" ".join(cell.plain.split()) or "–" for cell in row] for row in self.rows]
        heads = [" ".join(f"{c.block} {c.head}".split()) for c in self.columns]
        if any(heads):
            rows.insert(0, heads)
        widths = [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]
        lines = [self.title] if self.title else []
        for row in rows:
            cells = []
            for cell, width, column in zip(row, widths, self.columns, strict=True):
                space = " " * (width - cell_len(cell)) if width <= _PADDED_WIDTH else ""
                cells.append(space + cell if column.kind == "number" else cell + space)
            lines.append("\t".join(map(printable, cells)).rstrip(" "))
        for line in lines:
            yield Segment(line)
            yield Segment.line()
        yield Segment.line()  # sets it off from what follows

    def _blocks(self, console: Console, options: ConsoleOptions) -> Iterable[tuple[str, Sequence[int]]]:
        """Title and columns of the tables that a wide one becomes."""
        names = [i for i, c in enumerate(self.columns) if c.kind == "name"]
        blocks: dict[str, list[int]] = {}
        for i, column in enumerate(self.columns):
            if column.kind != "name":
                blocks.setdefault(column.block, []).append(i)
        for block, members in blocks.items():
            part: list[int] = []
            for i in members:
                if part and not self._fits([*names, *part, i], console, options, block):
                    yield block, [*names, *part]
                    part = []
                part.append(i)
            yield block, [*names, *part]

    def _fits(
        self, chosen: Sequence[int], console: Console, options: ConsoleOptions, block: str = ""
    ) -> bool:
        table = self._table(chosen, block)
        for i, column in zip(chosen, table.columns, strict=True):
            if self.columns[i].kind == "text":
                column.width = self._least_width(i)
        needed = Measurement.get(console, options.update(width=10_000), table).maximum
        return needed <= options.max_width

    def _least_width(self, i: int) -> int:
        texts = [self.columns[i].head, *(row[i].plain for row in self.rows)]
        natural = max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
        words = (cell_len(word) for text in texts for word in text.split())
        longest = max((w for w in words if w <= _LONGEST_WORD), default=0)
        return min(natural, max(longest, _TEXT_WIDTH))

    def _table(self, chosen: Sequence[int], block: str = "") -> Table:
        columns = [self.columns[i] if block else _with_block(self.columns[i]) for i in chosen]
        plain = not any(c.head for c in columns)
        table = Table(
            box=None if plain else box.SIMPLE_HEAD,
            show_header=not plain,
            pad_edge=False,
            show_edge=False,
            padding=(0, 2, 0, 0) if plain else (0, 1, 0, 0),
        )
        for i, column in zip(chosen, columns, strict=True):
            text = column.kind == "text"
            table.add_column(
                Text(column.head),
                justify="right" if column.kind == "number" else "left",
                no_wrap=not text,
                overflow="fold",
                style="bold" if plain and column.kind == "name" else "",
                min_width=self._least_width(i) if text else None,
            )
        for k, row in enumerate(self.rows):
            if self.total and k == len(self.rows) - 1:
                table.add_section()
            table.add_row(*(row[i] for i in chosen))
        return table


def _with_block(column: Column) -> Column:
    return replace(column, head=f"{column.block}\n{column.head}") if column.block else column


def columns(kind: Literal["name", "number", "text"], *heads: str, block: str = "") -> list[Column]:
    """Columns of one kind."""
    return [Column(head, kind, block) for head in heads]


def names(*heads: str) -> list[Column]:
    """Columns of identifiers and short words, which are never broken."""
    return columns("name", *heads)


def numbers(*heads: str, block: str = "") -> list[Column]:
    """Columns of numbers."""
    return columns("number", *heads, block=block)


def texts(*heads: str) -> list[Column]:
    """Columns of words."""
    return columns("text", *heads)


def facts(rows: Iterable[tuple[str, str]]) -> PlainTable:
    """What is known of one thing: a line each."""
    return PlainTable([*names(""), *texts("")], rows)
