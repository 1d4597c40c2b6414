"""How accurate the winner is: parity, errors by group, structures with the largest errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from xpot_core.live.drawing import (
    INK,
    SOFT,
    Choice,
    Figure,
    Json,
    Panel,
    Table,
    axis,
    line,
    lines,
    markers,
    plain,
)
from xpot_core.live.library import OpenStudy
from xpot_core.live.sampling import said, sample
from xpot_core.report.figures.style import CYCLE, SET_STYLES
from xpot_core.report.plotted.parity import Groups, group_errors, parity_pairs
from xpot_core.report.plotted.reference import beside
from xpot_core.report.plotted.scales import log_scale_fits
from xpot_core.report.statistics.influence import INFLUENCE_HEADS, influences_of
from xpot_core.report.statistics.series import shown_errors
from xpot_core.statistics.number_text import fixed, number
from xpot_core.statistics.outliers import LARGEST_HEADS, outliers, ranked_errors
from xpot_core.statistics.predictions import SETS, Pairs, Structure
from xpot_core.types.quantities import ENERGY, FORCE, QUANTITIES, Quantity

_MOST_POINTS = 3000
_MOST_STRUCTURES = 50
_MOST_INFLUENCE = 20
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "x", "star")
NO_WINNER = "The winner is refitted when the run ends; its predictions are shown then."
NO_PREDICTIONS = "The folder best of this study holds no predictions of the winner any more."


def parity(study: OpenStudy, asked: Mapping[str, str]) -> Panel:
    """Predicted against reference values of one set; a click on a point shows its structure."""
    sets = study.sets
    if not sets:
        return Panel([], [NO_WINNER if study.results.final is None else NO_PREDICTIONS])
    choice = _set_choice(sets, asked)
    groups = Groups.of_structures(sets)
    figures: list[Figure] = []
    notes: list[str] = []
    for quantity, of_sets in parity_pairs(sets, groups).items():
        if choice.value in of_sets:
            found = of_sets[choice.value]
            figure, remark = _parity(QUANTITIES[quantity], choice.value, found, sets[choice.value], groups)
            figures.append(figure)
            notes += [text for text in remark if text not in notes]
    return Panel(figures, ["Click a point to see its structure.", *notes], [choice])


def _set_choice(sets: Mapping[str, Sequence[Structure]], asked: Mapping[str, str]) -> Choice:
    names = list(sets)
    usual = "validation" if "validation" in sets else names[-1]
    return Choice("set", "set", [(n, n) for n in names], asked["set"] if asked.get("set") in sets else usual)


def _parity(
    quantity: Quantity, name: str, found: Pairs, structures: Sequence[Structure], groups: Groups
) -> tuple[Figure, list[str]]:
    error = found.error * quantity.factor
    drawn = sample(np.abs(error), most=_MOST_POINTS)
    data: list[Json] = []
    for g, group in enumerate(groups.names):
        mine = drawn[found.group[drawn] == g]
        if not len(mine):
            continue
        texts = [
            lines(
                structures[found.structure[i]].source,
                f"group {group}",
                f"reference {number(float(found.reference[i]), 5)} {quantity.base_unit}",
                f"predicted {number(float(found.predicted[i]), 5)} {quantity.base_unit}",
                f"off by {number(float(error[i]), 3)} {quantity.unit}",
            )
            for i in mine
        ]
        colour, symbol = CYCLE[g % len(CYCLE)], _SYMBOLS[g % len(_SYMBOLS)]
        look = {"symbol": symbol, "size": 7 if quantity is ENERGY else 5, "opacity": 0.8}
        data.append(
            markers(
                found.reference[mine],
                found.predicted[mine],
                group,
                INK if colour == "#000000" else colour,
                texts,
                **look,
            )
        )
        data[-1]["customdata"] = [[name, int(found.structure[i])] for i in mine]
    both = np.concatenate([found.reference, found.predicted])
    ends = [float(both.min()), float(both.max())]
    data.insert(0, {**line(ends, ends, "", SOFT, width=1), "showlegend": False})
    rmse, mae = math.sqrt(float(np.mean(error**2))), float(np.mean(np.abs(error)))
    caption = f"RMSE {fixed(rmse)}, MAE {fixed(mae)} {quantity.unit}, {len(found):,} values."
    if quantity is ENERGY:
        caption += " Energies are relative to the best sum of one energy per element."
    layout = {
        "xaxis": axis(f"reference {quantity.name} ({quantity.base_unit})"),
        "yaxis": axis(f"predicted {quantity.name} ({quantity.base_unit})"),
    }
    remark = said(len(drawn), len(found), f"{quantity.name} values", "the largest errors")
    return Figure(f"{quantity.name}, {name} set", data, layout, caption, height=460, half=True), remark


def groups(study: OpenStudy) -> Panel:
    """RMSE of each group and set."""
    tables = shown_errors(study.results)
    rows = group_errors(tables)
    if not rows:
        return Panel([], ["There are no errors by group yet."])
    order = list(dict.fromkeys(group for _, _, group, _ in rows))
    figures = []
    for word in dict.fromkeys(quantity for quantity, _, _, _ in rows):
        quantity = QUANTITIES[word]
        values = {(name, group): v for q, name, group, v in rows if q == word}
        data: list[Json] = []
        for name in tables:
            here = [(g, values[name, g]) for g in order if math.isfinite(values[name, g])]
            texts = [lines(g, f"{name} RMSE {fixed(v)} {quantity.unit}") for g, v in here]
            colour, _, _ = SET_STYLES[name]
            symbol = _SYMBOLS[list(SETS).index(name)]
            y = [plain(g) for g, _ in here]
            data.append(
                markers(np.array([v for _, v in here]), y, name, colour, texts, symbol=symbol, size=10)
            )
        known = np.array([v for v in values.values() if math.isfinite(v)])
        layout = {
            "xaxis": {
                **axis(f"{word} RMSE ({quantity.unit})"),
                "type": "log" if log_scale_fits(known) else "linear",
                "rangemode": "tozero",
            },
            "yaxis": {
                "automargin": True,
                "type": "category",
                "categoryarray": [plain(g) for g in reversed(order)],
            },
        }
        figures.append(Figure(f"{word} errors", data, layout, height=130 + 28 * len(order)))
    heads = ["group", *(f"{name} {q.short}" for name in tables for q in QUANTITIES.values())]
    at = {(q, name, group): v for q, name, group, v in rows}
    cells = [
        [g, *(fixed(at.get((q, name, g), math.nan)) for name in tables for q in QUANTITIES)] for g in order
    ]
    note = "A validation or test error well above that of training tells of overfitting."
    shown = [Table("RMSE by group", heads, cells)]
    given = [[x.label, x.set, fixed(x.energy), fixed(x.force)] for x in beside(study.results)]
    if given:
        heads = ["", "set", ENERGY.short, FORCE.short]
        shown.append(Table("Beside errors from elsewhere", heads, given, texts=(0, 1)))
    return Panel([*figures, *shown], [note])


def structures(study: OpenStudy, asked: Mapping[str, str]) -> Panel:
    """The structures with the largest errors; a click on a row shows one."""
    sets = study.sets
    if not sets:
        return Panel([], [NO_WINNER if study.results.final is None else NO_PREDICTIONS])
    choice = _set_choice(sets, asked)
    ranked = ranked_errors(sets[choice.value])[:_MOST_STRUCTURES]
    heads = [head.replace("\n", " ") for head in LARGEST_HEADS]
    table = Table(
        f"{choice.value}: largest errors, {len(ranked)} of {len(sets[choice.value])} structures",
        heads,
        [error.cells() for _, error in ranked],
        texts=(0, 1),
        structures=[(choice.value, index) for index, _ in ranked],
        caption="Click a row to see its structure. Shares are those of the squared error of the set.",
    )
    found = outliers({choice.value: sets[choice.value]})
    decisive = influences_of(study.results)
    tables, notes = [table], [made.text() for made in found]
    if decisive is not None and decisive.structures:
        heads = [head.replace("\n", " ") for head in INFLUENCE_HEADS]
        title = "Training structures that decide the fit"
        told = "Influence: how far the fit moves without a structure (Cook's distance), 1 is the mean."
        tables.append(
            Table(
                title,
                heads,
                decisive.cells(_MOST_INFLUENCE),
                texts=(0, 1),
                caption=f"{decisive.text()}. {told}",
            )
        )
    return Panel(tables, notes, [choice])
