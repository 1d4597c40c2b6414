"""The HTML page around the report's content: template, style sheet, small building blocks.

A template engine would be one more dependency for one page; every text goes through `esc` instead.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template

from xpot_core import __version__
from xpot_core.report.figures.style import SVG_BYTES, ReportFigure, refuse_foreign
from xpot_core.system.foreign_text import printable

STYLE = """
:root { --ink: #1a1a1a; --soft: #595959; --line: #d9d9d9; --paper: #ffffff; --tint: #f5f7f9;
  --accent: #0060a0; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: var(--paper); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header > div, footer, nav > ul { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { background: var(--tint); border-bottom: 1px solid var(--line); padding: 26px 0 18px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 44px 0 12px; padding-bottom: 4px; border-bottom: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 26px 0 8px; }
p { margin: 8px 0; max-width: 75ch; }
.soft { color: var(--soft); font-size: .92rem; }
a { color: var(--accent); }
nav { position: sticky; top: 0; z-index: 2; background: var(--paper);
  border-bottom: 1px solid var(--line); }
nav ul { display: flex; gap: 4px 20px; list-style: none; overflow-x: auto; white-space: nowrap; }
nav a { display: block; padding: 9px 0; text-decoration: none; font-size: .92rem; }
nav a:hover { text-decoration: underline; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 10px;
  margin: 18px 0 0;
  padding: 0; list-style: none; }
.cards li { background: var(--paper); border: 1px solid var(--line); border-radius: 6px;
  padding: 10px 12px; }
.cards b { display: block; font-size: 1.15rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.cards span { font-size: .84rem; color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 22px 26px;
  align-items: start; }
figure { margin: 0; min-width: 0; }
figure.wide, figure.lone { grid-column: 1 / -1; }
figure.lone { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 26px; }
figure > div { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: 10px;
  background: #fff; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .9rem; color: var(--soft); padding: 6px 2px 0; max-width: 85ch; }
figcaption b { color: var(--ink); }
.scroll { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; min-width: 40%; }
th, td { padding: 5px 12px 5px 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; border-bottom: 2px solid var(--line); white-space: nowrap; vertical-align: bottom; }
td.n, th.n { text-align: right; white-space: nowrap; }
.hint { display: none; }
th.s { text-align: right; border-bottom: none; color: var(--soft); }
td.r { text-align: right; min-width: 7em; max-width: 9em; }
td:first-child { white-space: nowrap; }
td.m { min-width: 10em; }
td.w { min-width: 30em; overflow-wrap: anywhere; }
tr.total td { font-weight: 600; }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: 10px 12px;
  overflow-x: auto;
  font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 8px 0; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
details { margin: 8px 0; } summary { cursor: pointer; }
.note { border-left: 4px solid #e69f00; background: #fff8e8; padding: 8px 12px; margin: 14px 0;
  max-width: 85ch; }
footer { color: var(--soft); font-size: .88rem; border-top: 1px solid var(--line); margin-top: 50px;
  padding-top: 12px; padding-bottom: 30px; }
@media (max-width: 760px) {
  main, header > div, footer, nav > ul { padding: 0 14px; }
  h1 { font-size: 1.4rem; }
  .figures { grid-template-columns: minmax(0, 1fr); }
  figure.lone { display: block; }
  figure.wide img { min-width: 620px; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .hint { display: block; }
}
@media print {
  nav, .hint { display: none; }
  body { font-size: 10pt; }
  main, header > div { max-width: none; padding: 0; }
  header { background: none; }
  figure, tr, .cards { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  figure > div { border: none; overflow: visible; }
  .scroll, pre { overflow: visible; white-space: pre-wrap; }
}
"""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="$generator">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header><div>
$header
</div></header>
<nav aria-label="Sections"><ul>$nav</ul></nav>
<main>
$sections
</main>
<footer>$footer</footer>
</body>
</html>
""")


_MARK = '<meta name="generator" content="XPOT '
"""Is in every page of ours: only such a file is replaced."""


def esc(text: object) -> str:
    """Text for HTML, in content and in attributes."""
    return escape(printable(text, lines=True), quote=True)


@dataclass
class Section:
    """A heading with blocks of HTML; left out of the page while it is empty."""

    anchor: str
    title: str
    blocks: list[str] = field(default_factory=list)

    def add(self, block: str) -> None:
        """Append HTML; nothing is added for an empty string."""
        if block:
            self.blocks.append(block)

    def html(self) -> str:
        """The section with its heading."""
        body = "\n".join(self.blocks)
        return f'<section id="{esc(self.anchor)}">\n<h2>{esc(self.title)}</h2>\n{body}\n</section>'


def page(title: str, header: str, sections: Sequence[Section], source: Path | None = None) -> str:
    """The whole document; `header` is HTML, `source` the folder that it is made from."""
    stamp = time.strftime("%Y-%m-%d %H:%M %Z")
    origin = "" if source is None else f" from {source}"
    shown = [s for s in sections if s.blocks]
    nav = "".join(f'<li><a href="#{esc(s.anchor)}">{esc(s.title)}</a></li>' for s in shown)
    return _PAGE.substitute(
        title=esc(title),
        style=STYLE,
        header=header,
        nav=nav,
        footer=esc(f"Written by XPOT {__version__} on {stamp}{origin}."),
        generator=esc(f"XPOT {__version__}"),
        sections="\n".join(s.html() for s in shown),
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


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{esc(kind)}">{esc(text)}</p>' if kind else f"<p>{esc(text)}</p>"


def heading(text: str) -> str:
    """A heading below that of a section."""
    return f"<h3>{esc(text)}</h3>"


def preformatted(text: str) -> str:
    """Text as it stands."""
    return f"<pre>{esc(text)}</pre>"


def folded(summary: str, content: str) -> str:
    """Content that opens on a click; `content` is HTML."""
    return f"<details><summary>{esc(summary)}</summary>{content}</details>"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    text: Sequence[int] = (0,),
    total: bool = False,
    spans: Sequence[tuple[str, int]] = (),
) -> str:
    """A table of plain texts; columns not in `text` are numbers and stand to the right.

    Parameters
    ----------
    text
        Positions of columns with text.
    total
        The last row sums up the others.
    spans
        A line of headings above the columns: text and how many columns it stands over.
    """

    def cell(tag: str, i: int, value: object) -> str:
        long = len(str(value))
        if i not in text:
            # A value with its range may break before the range: several of them fill a page.
            kind = "r" if tag == "td" and long > 16 and " (" in str(value) else "n"
        else:
            kind = "w" if long > 40 else "m" if long > 12 else ""
        return f'<{tag} class="{kind}">{esc(value)}</{tag}>' if kind else f"<{tag}>{esc(value)}</{tag}>"

    body = [[cell("td", i, v) for i, v in enumerate(row)] for row in rows]
    lines = ["<tr>" + "".join(row) + "</tr>" for row in body]
    if total and lines:
        lines[-1] = lines[-1].replace("<tr>", '<tr class="total">', 1)
    head = "<tr>" + "".join(cell("th", i, c) for i, c in enumerate(columns)) + "</tr>"
    if spans:
        head = (
            "<tr>" + "".join(f'<th class="s" colspan="{n}">{esc(t)}</th>' for t, n in spans) + "</tr>" + head
        )
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table></div>'


def figures(shown: Iterable[ReportFigure | None], most: int = SVG_BYTES) -> str:
    """Figures in a grid: wide ones over both columns; heavier than `most` bytes as PNG."""
    items = []
    present = [figure for figure in shown if figure is not None]
    for figure, kind in zip(present, _layout(present), strict=True):
        caption = f"<b>{esc(figure.title)}.</b> {esc(figure.caption)}"
        if figure.wide:
            caption += ' <span class="hint">Scroll the figure sideways to see all of it.</span>'
        # An image and not inline SVG: ids of one figure cannot clash with those of another.
        items.append(
            f'<figure class="{kind}" id="figure-{esc(figure.name)}"><div>'
            f'<img src="{figure.data_uri(most)}" alt="{esc(figure.alt)}"></div>'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return f'<div class="figures">{"".join(items)}</div>' if items else ""


def _layout(shown: Sequence[ReportFigure]) -> list[str]:
    """Class of each figure; a narrow one without a neighbour has its caption beside it."""
    kinds: list[str] = []
    for i, figure in enumerate(shown):
        if figure.wide:
            kinds.append("wide")
        elif kinds and kinds[-1] == "left":
            kinds.append("right")
        else:
            followed = i + 1 < len(shown) and not shown[i + 1].wide
            kinds.append("left" if followed else "lone")
    return kinds
