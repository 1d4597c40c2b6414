"""Execute docs/examples/notebook.py and write it as notebook and as page: ``make notebook``.

The cells stand in a Python file, which can be read, linted and compared. It is executed into
docs/examples/notebook.ipynb, and docs/notebook.md is made of that: the site needs no notebook extension, and
builds offline. Both are committed; a test tells when they are out of date.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SOURCE = DOCS / "examples" / "notebook.py"
NOTEBOOK = DOCS / "examples" / "notebook.ipynb"
PAGE = DOCS / "notebook.md"
IMAGES = DOCS / "_static" / "notebook"


def cells(source: str) -> list[tuple[str, str]]:
    """Kind (``markdown`` or ``code``) and text of each cell of a file with ``# %%`` marks."""
    found = []
    for part in re.split(r"^# %%", source, flags=re.MULTILINE)[1:]:
        mark, _, text = part.partition("\n")
        if "[markdown]" in mark:
            found.append(("markdown", re.sub(r"^# ?", "", text.strip(), flags=re.MULTILINE)))
        else:
            found.append(("code", text.strip()))
    return found


def executed(source: str) -> dict[str, Any]:
    """Run the cells in a fresh kernel of this Python, from the root of the repository."""
    import nbclient
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    make = {"markdown": new_markdown_cell, "code": new_code_cell}
    book = new_notebook(cells=[make[kind](text) for kind, text in cells(source)])
    # Random ids would make every execution another file.
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number}"
    client = nbclient.NotebookClient(
        book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(DOCS.parent)}}
    )
    client.execute()
    for cell in book.cells:
        cell.get("metadata", {}).pop("execution", None)  # when it ran, to the microsecond
    book.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    text = nbformat.writes(book)
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def page(book: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The notebook as MyST Markdown, and its images: file name -> SVG."""
    images: dict[str, str] = {}
    parts = ["<!-- Written by docs/make_notebook.py from docs/examples/notebook.py. -->"]
    for cell in book["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        parts += [_output(o, images, text) for o in cell["outputs"]]
    parts.append("The notebook itself: {download}`notebook.ipynb <examples/notebook.ipynb>`.")
    return "\n\n".join(p for p in parts if p) + "\n", images


def _output(output: dict[str, Any], images: dict[str, str], code: str) -> str:
    if output["output_type"] == "stream":
        return "" if output["name"] == "stderr" else _text("".join(output["text"]))
    data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
    if "image/svg+xml" in data:
        name = f"figure-{len(images)}.svg"
        images[name] = data["image/svg+xml"]
        # Our figures carry their title inside.
        title = re.search("<dc:title>(.*?)</dc:title>", images[name])
        alt = title[1] if title else f"Output of {code.splitlines()[-1]}"
        return f":::{{image}} _static/notebook/{name}\n:alt: {alt}\n:::"
    if "text/html" in data:
        html = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
        return f"```{{raw}} html\n{html.strip()}\n```"
    return _text(data.get("text/plain", ""))


def _text(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""


def write_page(book: dict[str, Any]) -> None:
    """Page and images of an executed notebook."""
    text, images = page(book)
    IMAGES.mkdir(parents=True, exist_ok=True)
    for old in IMAGES.glob("*.svg"):
        old.unlink()
    for name, svg in images.items():
        (IMAGES / name).write_text(svg, encoding="utf-8")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    found = executed(SOURCE.read_text(encoding="utf-8"))
    NOTEBOOK.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_page(found)
    print(f"wrote {NOTEBOOK} and {PAGE}", file=sys.stderr)
