"""Errors, tables and figure of ``validation_sets.py``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from xpot_core.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    PAGE,
    RED,
    SKY,
    figure_style,
    label_panel,
    new_figure,
)

STYLE = {
    "CV": (BLUE, "o"),
    "CV, all folds": (SKY, "D"),
    "hot": (RED, "^"),
    "random": (GREEN, "s"),
    "no search": (GREY, "x"),
}
"""Selection -> colour, marker."""
BOOTSTRAPS = 4000


@dataclass(frozen=True)
class Squares:
    """Squared deviations, one entry a structure: energy per atom, energy over the root of n, forces, components."""

    energy: NDArray[np.float64]
    energy_sqrt: NDArray[np.float64]
    force: NDArray[np.float64]
    components: NDArray[np.float64]

    @classmethod
    def of(cls, frames: Sequence[Atoms]) -> Squares:
        """Of frames that hold predictions beside reference values."""
        n = np.array([len(a) for a in frames], dtype=float)
        deviation = np.array([a.info["pred_energy"] - a.info["REF_energy"] for a in frames])
        forces = [np.square(a.arrays["pred_forces"] - a.arrays["REF_forces"]).sum() for a in frames]
        return cls(deviation**2 / n**2, deviation**2 / n, np.array(forces), 3 * n)

    def __len__(self) -> int:
        return len(self.energy)

    def rmse(self) -> tuple[float, float]:
        """Energy (meV/atom) and force (eV/Å)."""
        return 1000 * float(np.sqrt(self.energy.mean())), float(
            np.sqrt(self.force.sum() / self.components.sum())
        )

    def loss(self, alpha: float, draws: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """The loss of the search on these structures, or on each row of drawn indices."""
        index = np.arange(len(self))[None] if draws is None else draws
        energy = np.sqrt(self.energy_sqrt[index].mean(axis=1))
        force = np.sqrt(self.force[index].sum(axis=1) / self.components[index].sum(axis=1))
        mixed: NDArray[np.float64] = alpha * energy + (1 - alpha) * force
        return mixed


@dataclass(frozen=True)
class Outcome:
    """The winner of one study: energies in meV/atom, forces in eV/Å, squared errors on each test set."""

    data: str
    twojmax: int
    selection: str
    seed: int
    validation_E: float
    validation_F: float
    validation_loss: float
    rcutfac: float
    rfac0: float
    ridge: float
    cpu_seconds: float
    test: dict[str, Squares]

    def line(self) -> str:
        """For who watches."""
        errors = ", ".join(
            f"{name} {e:.1f} / {f:.3f}" for name, (e, f) in ((n, s.rmse()) for n, s in self.test.items())
        )
        return (
            f"{self.data} {self.twojmax} {self.selection} seed {self.seed}: {errors}; rcutfac {self.rcutfac:.2f}, "
            f"rfac0 {self.rfac0:.2f}, {self.cpu_seconds:.0f} CPU s"
        )


def selections(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes of each selection, in order of seed."""
    return {
        s: [o for o in outcomes if o.selection == s] for s in dict.fromkeys(o.selection for o in outcomes)
    }


def _spread(values: Sequence[float], digits: int) -> str:
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def error_table(outcomes: Sequence[Outcome], tests: Sequence[str]) -> list[str]:
    """Selections against test sets."""
    columns = [f"{name} {q}" for name in ("validation", *tests) for q in "EF"]
    lines = [
        f"| selected on | {' | '.join(columns)} | rcutfac, Å | rfac0 |",
        "|---" * (len(columns) + 3) + "|",
    ]
    for selection, own in selections(outcomes).items():
        cells = [_spread([o.validation_E for o in own], 1), _spread([o.validation_F for o in own], 3)]
        for name in tests:
            energies, forces = zip(*(o.test[name].rmse() for o in own), strict=True)
            cells += [_spread(energies, 1), _spread(forces, 3)]
        cells += [_spread([o.rcutfac for o in own], 2), _spread([o.rfac0 for o in own], 2)]
        lines.append(f"| {selection} | {' | '.join(cells)} |")
    return lines


def change(own: Sequence[Outcome], base: Sequence[Outcome], name: str, alpha: float) -> list[float]:
    """Mean, standard deviation and 95 % interval of the relative change of a test loss, in percent.

    Both selections are judged on the same drawn structures and, seed by seed, against each other: what is hard
    for both, or comes from the outer points of a seed, drops out.
    """
    if len(own) != len(base):  # one study without a seed against all
        own = [own[0]] * len(base)
    rng = np.random.default_rng(0)
    size = len(base[0].test[name])
    draws = rng.integers(size, size=(BOOTSTRAPS, size))
    seeds = rng.integers(len(base), size=(BOOTSTRAPS, len(base)))
    pairs = [(o.test[name], b.test[name]) for o, b in zip(own, base, strict=True)]
    plain = np.array([100 * (o.loss(alpha) / b.loss(alpha) - 1)[0] for o, b in pairs])
    drawn = np.array([100 * (o.loss(alpha, draws) / b.loss(alpha, draws) - 1) for o, b in pairs])
    means = np.take_along_axis(drawn, seeds.T, axis=0).mean(axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    return [float(plain.mean()), float(plain.std(ddof=1)) if len(plain) > 1 else 0.0, float(low), float(high)]


def differences(outcomes: Sequence[Outcome], tests: Sequence[str], alpha: float) -> list[str]:
    """Every selection against cross-validation."""
    found = selections(outcomes)
    lines = [f"| selected on | {' | '.join(tests)} |", "|---" * (len(tests) + 1) + "|"]
    for selection, own in found.items():
        if selection == "CV":
            continue
        cells = []
        for name in tests:
            mean, spread, low, high = change(own, found["CV"], name, alpha)
            text = f"{mean:+.0f} ± {spread:.0f} % ({low:+.0f} to {high:+.0f})"
            cells.append(f"**{text}**" if low > 0 or high < 0 else text)
        lines.append(f"| {selection} | {' | '.join(cells)} |")
    return lines


def write_csv(outcomes: Sequence[Outcome], alpha: float, path: Path) -> None:
    """One line for each winner and set."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        names = (
            "data",
            "twojmax",
            "selected_on",
            "seed",
            "set",
            "structures",
            "E_meV_atom",
            "F_eV_A",
            "loss",
        )
        writer.writerow([*names, "rcutfac", "rfac0", "ridge", "cpu_seconds"])
        for o in outcomes:
            start, end = (
                (o.data, o.twojmax, o.selection, o.seed),
                (o.rcutfac, o.rfac0, o.ridge, round(o.cpu_seconds, 1)),
            )
            writer.writerow(
                [*start, "validation", "", o.validation_E, o.validation_F, o.validation_loss, *end]
            )
            for name, squares in o.test.items():
                loss = float(squares.loss(alpha)[0])
                writer.writerow([*start, f"test {name}", len(squares), *squares.rmse(), loss, *end])


def draw(measured: dict[str, list[Outcome]], alpha: float, target: Path) -> None:
    """Test losses of every winner, a panel for each data set."""
    with figure_style():
        figure = new_figure(PAGE, 2.4)
        widths = [len(outcomes[0].test) for outcomes in measured.values()]
        panels = figure.subplots(1, len(measured), squeeze=False, width_ratios=widths)[0]
        for ax, letter, (title, outcomes) in zip(panels, "abc", measured.items(), strict=False):
            tests = list(outcomes[0].test)
            own = selections(outcomes)
            for i, (selection, winners) in enumerate(own.items()):
                colour, marker = STYLE[selection]
                for j, name in enumerate(tests):
                    y = [float(o.test[name].loss(alpha)[0]) for o in winners]
                    x = j + 0.16 * (i - (len(own) - 1) / 2) + np.linspace(-0.05, 0.05, len(y))
                    label = f"selected on: {selection}" if selection != "no search" else "defaults, no search"
                    ax.plot(x, y, marker, color=colour, ms=4, label=None if j else label)
            ax.set_xticks(range(len(tests)), [f"{name} test" for name in tests])
            ax.set_ylim(bottom=0)
            ax.set_ylabel(f"test loss, alpha {alpha}")
            ax.set_title(title)
            ax.grid(axis="y")
            label_panel(ax, letter)
        panels[0].legend()
        figure.savefig(target, dpi=200)
