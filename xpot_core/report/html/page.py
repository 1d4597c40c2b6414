"""The HTML page around the sections of a report, and what all templates know.

Every text is escaped by the template engine; what no page can hold (escape sequences, lone surrogates) is made
printable before.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xpot_core import __version__
from xpot_core.report.figures.style import ReportFigure, refuse_foreign
from xpot_core.system.foreign_text import printable
from xpot_core.types.quantities import QUANTITIES

_MARK = '<meta name="generator" content="XPOT '
"""Is in every page of ours: only such a file is replaced."""


@dataclass
class Head:
    """What stands above the sections; cards are pairs of a value and what it is."""

    name: str
    subtitle: str
    cards: Sequence[tuple[str, str]] = ()
    note: str = ""


@dataclass
class Section:
    """A section of a page, made by the template of its name; left out of the page where that gives nothing."""

    anchor: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)


@cache
def environment() -> Environment:
    """The template engine."""
    engine = Environment(
        loader=PackageLoader("xpot_core.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters |= {"named": named, "placed": placed}
    engine.globals["quantities"] = QUANTITIES
    return engine


def _printable(value: object) -> object:
    return value if isinstance(value, Markup) else printable(value, lines=True)


def page(
    kind: str,
    title: str,
    head: Head,
    sections: Sequence[Section],
    figures: Mapping[str, ReportFigure],
    source: Path | None = None,
) -> str:
    """The whole document.

    Parameters
    ----------
    kind
        Folder of the templates of the sections.
    figures
        By name; every section may show some of them.
    source
        The folder that the page is made from.
    """
    shown = []
    for section in sections:
        template = environment().get_template(f"{kind}/{section.anchor}.html")
        body = template.render(section.values, figures=figures).strip()
        if body:
            shown.append({"anchor": section.anchor, "title": section.title, "body": Markup(body)})
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            head=head,
            sections=shown,
            source=source,
            version=__version__,
            time=time.strftime("%Y-%m-%d %H:%M %Z"),
        )
    )


def write_page(text: str, path: Path) -> None:
    """Write a document aside and move it: a reader (or a browser that reloads) never gets half a page.

    Raises
    ------
    InputError
        If something else than a page of ours stands there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    refuse_foreign([path], _MARK)
    # A new file under a name that nobody knows: a link that somebody laid there is not followed.
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(fresh, 0o666 & ~umask)
        os.replace(fresh, path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def named(figures: Mapping[str, ReportFigure], *patterns: str) -> list[ReportFigure]:
    """The figures of these names that there are; ``validator-*`` stands for all that begin so."""
    return [f for pattern in patterns for name, f in figures.items() if fnmatchcase(name, pattern)]


def placed(shown: Sequence[ReportFigure]) -> Iterator[tuple[ReportFigure, str]]:
    """Figures in a grid with their class: wide ones over both columns, a lone one with its caption beside it."""
    place = ""
    for i, figure in enumerate(shown):
        if figure.wide:
            place = "wide"
        elif place == "left":
            place = "right"
        else:
            place = "left" if i + 1 < len(shown) and not shown[i + 1].wide else "lone"
        yield figure, place
