"""How figures look: sizes of journal columns, colours that everybody can tell apart, saving.

Colours are those of Okabe and Ito; nothing is told by colour alone, so marker, line style or hatch
carry the same information and a black-and-white print stays readable.
"""

from __future__ import annotations

import base64
import errno
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpot_core.errors import InputError
from xpot_core.statistics.number_text import shortened
from xpot_core.system.foreign_text import csv_text, file_name_of

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PINK, GREY = "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
CYCLE = (BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
SET_STYLES = {
    "train": (GREY, "o", ""),
    "validation": (BLUE, "s", "///"),
    "test": (RED, "^", "..."),
}
"""Set -> colour, marker, hatch."""

COLUMN, PAGE = 3.37, 6.97
"""Widths in inches of one column and of the page of a two-column journal."""
DENSE = 1500
"""Beyond so many points a scatter is stored as an image inside of the vector figure."""
_MARK_BYTES = 100
SVG_BYTES = 250_000
"""Heavier figures are put into the report as PNG."""
_COORDINATES = re.compile(r'(?<=[ "])(?:d|x|y)="[^"]*"')
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-4, 5),
    "axes.formatter.useoffset": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "image.composite_image": True,
}


MAKER = "XPOT"
_MARK = f"<dc:title>{MAKER}</dc:title>"
"""Is in the SVG of each figure of ours."""
_HEAD = 4000
"""Bytes in which a mark is looked for."""


@dataclass(frozen=True, eq=False, repr=False)
class ReportFigure:
    """A figure with what belongs to it.

    Attributes
    ----------
    name
        File name without suffix.
    title
        A few words.
    alt
        What a reader who cannot see the figure should know: what is drawn and what it shows.
    figure
        The matplotlib ``Figure``.
    caption
        How to read it, and the method behind it.
    columns, rows
        The data drawn, for CSV; units stand in the column names.
    wide
        Takes the width of the page.
    """

    name: str
    title: str
    alt: str
    figure: Any
    caption: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[Any]] = field(default_factory=tuple)
    wide: bool = True

    def __repr__(self) -> str:
        return f"<ReportFigure {self.name}: {self.title}>"

    def fix_layout(self) -> None:
        """Lay the figure out once and for all: the constrained layout costs more than the drawing."""
        engine = self.figure.get_layout_engine()
        if engine is not None:
            engine.execute(self.figure)
            self.figure.set_layout_engine("none")

    def svg(self) -> str:
        """The figure as a stand-alone SVG document."""
        from matplotlib import rcParams
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        with figure_style():
            self.fix_layout()
            self.figure.set_dpi(rcParams["savefig.dpi"])
            stream = io.StringIO()
            # `savefig` would draw everything once more before, to nowhere.
            FigureCanvasSVG(self.figure).print_svg(
                stream, metadata={"Date": None, "Title": self.title, "Creator": MAKER}
            )
        text = stream.getvalue()
        return _COORDINATES.sub(_rounded, text[text.index("<svg") :])

    def png(self) -> bytes:
        """The figure as PNG with a palette of 256 colours, a third of the size of full colour."""
        from PIL import Image  # matplotlib requires Pillow

        buffer = io.BytesIO()
        with figure_style():
            self.fix_layout()
            self.figure.savefig(buffer, format="png", dpi=200)
        small = io.BytesIO()
        # Maximum coverage keeps rare colours: median cut turned the one orange star red.
        image = (
            Image.open(buffer)
            .convert("RGB")
            .quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        )
        image.save(small, format="png", optimize=True)
        return small.getvalue()

    def data_uri(self, most: int = SVG_BYTES) -> str:
        """The figure as ``data:`` URI: SVG, or PNG where that would be heavier than `most` bytes."""
        # Each mark takes a hundred bytes: a figure of many need not be drawn twice.
        text = self.svg().encode() if _MARK_BYTES * len(self.rows) <= most else b""
        if 0 < len(text) <= most:
            return "data:image/svg+xml;base64," + base64.b64encode(text).decode()
        return "data:image/png;base64," + base64.b64encode(self.png()).decode()

    def csv(self) -> str:
        """The data drawn."""
        return csv_text(self.columns, self.rows)

    def save(self, directory: str | Path) -> list[Path]:
        """Write SVG, PDF and CSV; returns the files.

        Raises
        ------
        InputError
            If files of these names stand there that are not ours.
        """
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        written = [directory / f"{file_name_of(self.name)}{suffix}" for suffix in (".svg", ".pdf", ".csv")]
        refuse_foreign(written, _MARK)
        written[0].write_text('<?xml version="1.0" encoding="utf-8"?>\n' + self.svg(), encoding="utf-8")
        with figure_style():
            self.figure.savefig(
                written[1], format="pdf", metadata={"CreationDate": None, "Title": self.title}
            )
        written[2].write_text(self.csv(), encoding="utf-8")
        return written

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg()


def _rounded(match: re.Match[str]) -> str:
    """Coordinates to a hundredth of a point; matplotlib writes six digits, most of the file."""
    return _LONG_NUMBER.sub(r"\1", match[0])


def refuse_foreign(files: Sequence[Path], mark: str) -> None:
    """Nothing is written over files that are not ours.

    Parameters
    ----------
    files
        What will be written, together.
    mark
        Stands near the beginning of the first of them if we wrote it.

    Raises
    ------
    InputError
        If something else stands there.
    """
    if files[0].is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(files[0]))
    there = [path for path in files if os.path.lexists(path)]
    ours = files[0].is_file() and mark.encode() in files[0].read_bytes()[:_HEAD]
    if there and not ours:
        raise InputError(
            "was not written by xpot, and is not written over",
            file=there[0],
            remedy="name another file or folder, or move it away",
        )
    for path in there:
        if path.is_symlink():  # a link may lead anywhere
            path.unlink()


@contextmanager
def figure_style() -> Iterator[None]:
    """Our settings for as long as a figure is made; the caller's own ones stay as they are."""
    import matplotlib

    # A fixed salt: the same study gives the same file, byte for byte.
    with matplotlib.rc_context({**_RC, "svg.hashsalt": "xpot"}):
        yield


def new_figure(width: float, height: float) -> Any:
    """An empty figure that pyplot knows nothing of: nothing to close, no backend chosen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy_log(axis: Any) -> None:
    """Plain numbers on a logarithmic axis that spans few decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    if low <= 0:
        return
    decades = high / low
    subs: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    for most, fewer in ((5, (1.0, 2.0, 3.0, 5.0)), (25, (1.0, 2.0, 5.0)), (200, (1.0,))):
        subs = fewer if decades > most else subs
    axis.set_major_locator(LogLocator(10, subs=subs, numticks=9))
    if decades < 1e6:
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axis.set_minor_formatter(NullFormatter())


def label_panel(axes: Any, letter: str, *, inside: bool = False) -> None:
    """``(a)`` at the corner of a panel, or inside of it where panels are stacked closely."""
    if inside:
        box = {"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1.0}
        place: dict[str, Any] = {"xytext": (-3, -3), "ha": "right", "va": "top", "bbox": box}
    else:
        place = {"xytext": (-5, 3), "ha": "right", "va": "bottom"}
    axes.annotate(
        f"({letter})",
        (1, 1) if inside else (0, 1),
        xycoords="axes fraction",
        textcoords="offset points",
        fontweight="bold",
        fontsize=8,
        **place,
    )


def short(name: str, most: int) -> str:
    """A name that fits, for matplotlib: no mathematics, no leading underscore (which legends leave out)."""
    return shortened(name, most).replace("$", r"\$").lstrip("_") or "(unnamed)"
