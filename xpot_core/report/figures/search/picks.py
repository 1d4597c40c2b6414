"""Which trial each balance of energies and forces would choose, marked in a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xpot_core.errors import XpotError
from xpot_core.report.figures.style import BLACK, PINK
from xpot_core.results.read import StudyResults

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def picks(results: StudyResults) -> dict[int, list[float]]:
    """Trial -> the values of alpha at which it has the smallest loss; empty where that is not known."""
    found: dict[int, list[float]] = {}
    for alpha in ALPHAS:
        try:
            trial, _ = results.best_at(alpha)
        except XpotError:  # a loss without a balance, or its plugin is not installed here
            return {}
        found.setdefault(trial.number, []).append(alpha)
    return found


def draw_picks(ax: Any, results: StudyResults, places: Mapping[int, tuple[float, float]]) -> str:
    """Mark what each alpha would pick; returns the sentence for the caption."""
    shown = {n: alphas for n, alphas in picks(results).items() if n in places}
    if not shown:
        return ""
    for i, (number, alphas) in enumerate(shown.items()):
        ax.plot(
            *places[number],
            "D",
            mfc="none",
            mec=PINK,
            mew=1.2,
            ms=8,
            zorder=6,
            ls="none",
            label="best at other α" if i == 0 else None,
        )
        text = "α " + (", ".join(f"{a:g}" for a in alphas) if len(alphas) < len(ALPHAS) else "from 0 to 1")
        # Picks lie close together near the knee: their texts go to different sides.
        dx, dy = ((9, -3), (9, 5))[i % 2]
        ax.annotate(
            text,
            places[number],
            xytext=(dx, dy),
            textcoords="offset points",
            fontsize=6,
            color=BLACK,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6},
            zorder=7,
        )
    return (
        " Diamonds: the trial with the smallest loss, weights of groups included, at another balance α of "
        "energies (1) and forces (0); xpot show --alpha prints it, without a new fit."
    )
