"""A GAP as files on disk."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from xpot_core.api import FittedPotential
from xpot_gap.gap_fit import xml
from xpot_gap.gap_fit.plan import LOG, XML


def write_potential(directory: Path, text: str, elements: tuple[str, ...], **facts: Any) -> FittedPotential:
    """Write a potential and describe it; the log ends with the one command that makes this fit."""
    (directory / XML).write_text(text, encoding="utf-8")
    with (directory / LOG).open("a", encoding="utf-8") as log:
        log.write(f"\nThis fit as one command:\n{shlex.join(facts['metadata']['command'])}\n")
    facts["metadata"] = {**facts["metadata"], "label": xml.label(text), "log": LOG}
    return FittedPotential.from_files("gap-xml", directory, {"potential": XML}, elements, **facts)
