"""The shipped examples say what the documentation says of them."""

from __future__ import annotations

from pathlib import Path

import yaml


def test_example_studies_differ_in_the_fitter_block_alone() -> None:
    folder = Path(__file__).parents[1] / "examples" / "silicon"
    snap, gap = (yaml.safe_load((folder / name).read_text()) for name in ("study.yaml", "gap.yaml"))
    assert snap.pop("fitter").keys() == {"snap"}
    assert gap.pop("fitter").keys() == {"gap"}
    assert snap.pop("study") != gap.pop("study")
    assert snap == gap
