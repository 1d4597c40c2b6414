"""FitSNAP's file of errors by group, of today's version and of older ones."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

from xpot_core.api import EVERY_GROUP

QUANTITIES = {"Energy": ("energy", "eV/atom"), "Force": ("force", "eV/Å"), "Stress": ("stress", "bar")}
"""FitSNAP's name -> ours, and the unit of its errors."""
_SETS = {"Training": "train", "Testing": "test", "False": "train", "True": "test"}
_DEFAULT = "fitsnap_metrics"


@dataclass(frozen=True)
class Metric:
    """One line of the file."""

    set: str
    group: str
    weighted: bool
    quantity: str
    count: int
    mae: float
    rmse: float


def metrics_file(config: ConfigParser, path: Path) -> Path | None:
    """The errors of an input: beside it, or in the one folder below that has the file.

    Examples of FitSNAP come with the output of a standard run in such a folder.
    """
    name = config.get("OUTFILE", "metrics", fallback=_DEFAULT)
    beside = path.parent / name
    found = [beside] if beside.is_file() else sorted(path.parent.glob(f"*/{Path(name).name}"))
    return found[0] if len(found) == 1 and read_metrics(found[0]) else None


def read_metrics(path: Path) -> list[Metric]:
    """The lines of a file, in order; none if it is not FitSNAP's.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    rows = _rows(path.read_text(encoding="utf-8", errors="replace"))
    try:
        return [metric for row in rows for metric in _metric(row)]
    except (ValueError, KeyError):
        return []


def _rows(text: str) -> Iterator[list[str]]:
    """Words of each line, names and numbers alike: of a table in Markdown, or parted by commas or blanks."""
    lines = text.splitlines()
    if lines and lines[0].startswith("|"):
        for line in lines[2:]:
            names, *values = (cell.strip() for cell in line.strip().strip("|").rsplit("|", 4))
            yield [*_names(names), *values]
    elif lines and lines[0].startswith("Group"):
        separator = "," if "," in lines[0] else " "
        yield from list(csv.reader(io.StringIO(text), delimiter=separator))[1:]


def _names(text: str) -> list[str]:
    return [quoted or word for quoted, word in re.findall(r"'([^']*)'|\b(True|False)\b", text)]


def _metric(row: list[str]) -> Iterator[Metric]:
    *names, count, mae, rmse, _ = row
    if len(names) == 3:  # older versions do not say the set: it is that of training
        names.insert(2, "Training")
    group, weighting, part, quantity = names
    if quantity in QUANTITIES:
        name = EVERY_GROUP if group == "*ALL" else group
        yield Metric(
            _SETS[part],
            name,
            weighting.lower() == "weighted",
            QUANTITIES[quantity][0],
            int(float(count)),
            float(mae),
            float(rmse),
        )
