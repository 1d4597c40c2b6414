"""Every figure of a study.

Examples
--------
In a notebook::

    import xpot_core as xpot

    xpot.open("si-qsnap").figure("convergence").figure      # a matplotlib Figure
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from xpot_core.deliver.data_curve import read_curve
from xpot_core.report.figures import beside as beside_figures
from xpot_core.report.figures import errors as figures_errors
from xpot_core.report.figures import validators as figures_validators
from xpot_core.report.figures.search import course as figures_course
from xpot_core.report.figures.search import curves as figures_curves
from xpot_core.report.figures.search import objectives as figures_objectives
from xpot_core.report.figures.search import space as figures_space
from xpot_core.report.figures.search import trials as figures_trials
from xpot_core.report.figures.style import ReportFigure, figure_style
from xpot_core.report.packages import require_report
from xpot_core.report.plotted.reference import beside
from xpot_core.report.statistics.series import Series, shown_errors
from xpot_core.results.read import StudyResults
from xpot_core.statistics.predictions import Structure, predictions_of

_logger = logging.getLogger("xpot.report")
Maker = Callable[[], ReportFigure | Sequence[ReportFigure | None] | None]


def make_figures(
    results: StudyResults, sets: Mapping[str, Sequence[Structure]] | None = None, *, only: str | None = None
) -> dict[str, ReportFigure]:
    """Every figure that the study has data for, by name, in the order of the report.

    Parameters
    ----------
    results
        The study.
    sets
        Predictions of the winner by set, where they were read already.
    only
        Make just the one of this name, if it is made alone.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    require_report()
    series = Series.of(results.trials)
    sets = predictions_of(results) if sets is None else sets
    errors = shown_errors(results)
    makers: dict[str, Maker] = {
        "convergence": lambda: figures_course.convergence(results, series),
        "learning-curves": lambda: figures_curves.learning_curves(results),
        "parity": lambda: figures_errors.parity(sets),
        "error-distribution": lambda: figures_errors.distribution(sets),
        "group-errors": lambda: figures_errors.group_errors(errors),
        "reference": lambda: beside_figures.reference_values(beside(results)),
        "data-curve": lambda: beside_figures.data_curve_figure(read_curve(results.directory)),
        "pareto": lambda: figures_course.pareto(results, series),
        "objectives": lambda: figures_objectives.objective_figures(results),
        "inner-search": lambda: figures_objectives.inner_search(results, series),
        "costs": lambda: figures_trials.costs(results, series),
        "space": lambda: figures_space.space_figures(results, series),
        "timeline": lambda: figures_trials.timeline(results, series),
        "failures": lambda: figures_trials.failures(results, series),
        "validators": lambda: figures_validators.validator_figures(results),
    }
    found: dict[str, ReportFigure] = {}
    with figure_style():
        for name, make in makers.items():
            if only not in (None, name):
                continue
            try:
                made = make()
            except Exception:
                # A figure is the least of a study: one that fails must not take the report with it.
                _logger.exception("figure '%s' could not be made", name)
                continue
            for figure in made if isinstance(made, Sequence) else [made]:
                if figure is not None:
                    found[figure.name] = figure
    return found
