"""Which trial each balance of energies and forces would choose, marked in a figure."""

from __future__ import annotations

from typing import Any

from xpot_core.report.figures.style import BLACK, PINK
from xpot_core.report.plotted.trade_off import ALPHAS, TradeOff, picks
from xpot_core.results.read import StudyResults


def draw_picks(ax: Any, results: StudyResults, found: TradeOff) -> str:
    """Mark what each alpha would pick; returns the sentence for the caption."""
    places = dict(zip(found.numbers.tolist(), found.points, strict=True))
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
