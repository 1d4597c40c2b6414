"""Studies side by side: their courses, costs and errors on the structures that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xpot_core.errors import InputError
from xpot_core.live.drawing import INK, Choice, Figure, Json, Panel, Table, axis, line
from xpot_core.live.library import OpenStudy
from xpot_core.report.figures.style import CYCLE
from xpot_core.report.statistics.compare import COST_HEADS, COST_TEXTS, Comparison, compare_studies
from xpot_core.report.statistics.validators import HEADS, table_rows
from xpot_core.types.quantities import QUANTITIES
from xpot_core.types.structures import FloatArray

_DASHES = ("solid", "dash", "dashdot", "dot")
_AXES = (("trials", "trials"), ("seconds", "time in trials"))


def compare(studies: Sequence[OpenStudy], asked: Mapping[str, str]) -> Panel:
    """Best loss so far of each study, then what `xpot compare` says of the winners."""
    if len(studies) < 2:
        return Panel([], ["Choose two or more studies in the list."])
    over = asked["over"] if asked.get("over") in dict(_AXES) else "trials"
    figure = _courses(studies, over)
    choice = Choice("over", "over", _AXES, over)
    try:
        found = compare_studies([study.results for study in studies])
    except InputError as error:
        return Panel([figure], [f"The winners cannot be compared: {error.message}."], [choice])
    return Panel([figure, *_tables(found)], found.notes, [choice])


def _courses(studies: Sequence[OpenStudy], over: str) -> Figure:
    data: list[Json] = []
    everything: list[FloatArray] = []
    for i, study in enumerate(studies):
        series = study.series
        if not series.complete.any():
            continue
        spent = np.cumsum([t.seconds.get("total", 0.0) for t in series.trials])
        x = spent if over == "seconds" else series.numbers + 1
        best = series.so_far(series.loss)
        # Where it changes and at the end: a line of ten thousand points shows no more.
        ends = np.append(np.flatnonzero(np.diff(series.best, prepend=-1)), len(x) - 1)
        colour = CYCLE[i % len(CYCLE)]
        style = {"shape": "hv", "dash": _DASHES[i % len(_DASHES)]}
        data.append(line(x[ends], best[ends], study.name, INK if colour == "#000000" else colour, **style))
        everything.append(best[ends])
    values = np.concatenate(everything) if everything else None
    label = "time in trials (s)" if over == "seconds" else "trials"
    layout = {"xaxis": axis(label), "yaxis": axis("smallest loss so far", values), "showlegend": True}
    return Figure(
        "Course of the searches", data, layout, "Losses compare only where loss and data are the same."
    )


def _tables(found: Comparison) -> list[Table]:
    tables = [Table("Costs", COST_HEADS, found.cost_rows(), texts=range(COST_TEXTS))]
    for compared in found.sets:
        quantities, rows = compared.error_rows()
        heads = ["study", *(f"{q} RMSE ({QUANTITIES[q].unit})" for q in quantities)]
        said = [verdict.text() for verdict in compared.verdicts] + compared.outlier_lines()
        caption = ". ".join(said) + "." if said else ""
        title = f"{compared.name} set: {compared.structures} structures in common, 95 % intervals"
        tables.append(Table(title, heads, rows, caption=caption))
    rows = [row for test in found.tests for row in table_rows(test, found.names)]
    if rows:
        tables.append(Table("Physical tests", [*HEADS, *found.names], rows, texts=(0, 1)))
    return tables
