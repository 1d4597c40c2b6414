"""Search under a constraint that refuses the best losses: what an optimizer makes of refused trials.

    python benchmarks/constrained_regret.py [--seeds 5] [--trials 80]

On the recorded qSNAP surface of `optimizer_surface.py` every trial beyond a plane through rcutfac, rfac0 and rmin0 is
refused, as by a physical test; the plane lies so that the lowest losses and half of the space are refused. Regret is
the best loss of those that passed minus the lowest loss that passes. Writes ``results/constrained_regret.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from optimizer_surface import CASES, StandIn
from scipy.optimize import minimize

from xpot_core.api import FloatArray, History, Trial, TrialState
from xpot_core.plugins.registry import load_registry

RESULTS = Path(__file__).parent / "results"
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}),
    "optuna-tpe": ("optuna-tpe", {}),
    "skopt-forest, refused: failed": ("skopt-forest", {"refused": "failed"}),
    "skopt-forest": ("skopt-forest", {}),
    "skopt-gp, refused: failed": ("skopt-gp", {"refused": "failed"}),
    "skopt-gp": ("skopt-gp", {}),
}
SPACE = CASES["si-11"].space
PLANE = 3


class Constrained:
    """The surface with its plane: half of the space passes, the lowest loss does not."""

    def __init__(self) -> None:
        self.surface = StandIn.load()
        rng = np.random.default_rng(0)
        points = rng.random((100_000, len(SPACE)))
        low = points[np.argsort(self.surface(points))[:200]].mean(axis=0)[:PLANE]
        self.normal = np.sign(low - 0.5)
        self.offset = float(np.median(points[:, :PLANE] @ self.normal))
        self.lowest = self._descend(points)

    def passes(self, points: FloatArray) -> np.ndarray:
        """Whether the constraint lets points of the unit cube pass, shape (n,)."""
        passed: np.ndarray = np.atleast_2d(points)[:, :PLANE] @ self.normal <= self.offset
        return passed

    def _descend(self, points: FloatArray) -> float:
        """The lowest loss that passes: from the best of many random points, along the plane."""
        inside = points[self.passes(points)]
        plane = {"type": "ineq", "fun": lambda p: self.offset - p[:PLANE] @ self.normal}
        found = [
            minimize(
                lambda p: 100 * float(self.surface(p)[0]),
                start,
                method="SLSQP",
                bounds=[(0.0, 1.0)] * len(SPACE),
                constraints=[plane],
            )
            for start in inside[np.argsort(self.surface(inside))[:20]]
        ]
        lowest: float = min(
            f.fun / 100
            for f in found
            if self.passes(f.x - 1e-6 * np.pad(self.normal, (0, len(SPACE) - PLANE)))[0]
        )
        return lowest


def run(case: Constrained, label: str, seed: int, trials: int) -> tuple[float, int]:
    """Regret after all trials, and how many of them were refused."""
    name, options = OPTIMIZERS[label]
    optimizer = load_registry().create("optimizer", name, options).instance
    done: list[Trial] = []
    for number in range(trials):
        values = optimizer.suggest(History(SPACE, tuple(done), seed=seed), 1)[0].values
        point = SPACE.to_unit(values)
        loss = float(case.surface(point)[0])
        if case.passes(point)[0]:
            done.append(Trial(number, TrialState.COMPLETE, values, loss=loss))
        else:
            done.append(Trial(number, TrialState.INFEASIBLE, values, refused_loss=loss))
    best = min(t.loss for t in done if t.loss is not None)
    return best - case.lowest, sum(t.refused_loss is not None for t in done)


def main() -> None:
    """Run all and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=80)
    given = parser.parse_args()
    case = Constrained()
    lines = [
        "# Search under a constraint",
        "",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{given.seeds} seeds, {given.trials} trials. `python benchmarks/constrained_regret.py`. A recorded loss "
        f"surface of {len(SPACE)} hyperparameters; the constraint refuses half of the space and the lowest losses. "
        f"Regret: best loss that passed - {case.lowest:.5f}, in units of 0.001.",
        "",
        "| optimizer | median regret | smallest to largest | refused trials, median |",
        "|---|---|---|---|",
    ]
    for label in OPTIMIZERS:
        found = [run(case, label, seed, given.trials) for seed in range(given.seeds)]
        regret = 1000 * np.array([f[0] for f in found])
        refused = np.median([f[1] for f in found])
        lines.append(
            f"| {label} | {np.median(regret):.2f} | {regret.min():.2f}–{regret.max():.2f} | {refused:.0f} |"
        )
        print(lines[-1], flush=True)
    (RESULTS / "constrained_regret.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
