"""A study as a person in Python looks at it: ``xpot.open("runs/x").best.values``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from xpot_core.errors import InputError, nearest
from xpot_core.results.read import StudyResults
from xpot_core.results.tables import trials_table
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.trials import Trial

if TYPE_CHECKING:
    from xpot_core.report.figures.style import ReportFigure


class OpenedTrial:
    """One trial of an opened study.

    Attributes
    ----------
    number, state, loss
        As `xpot show` prints them; the loss of a trial that failed is None.
    values
        Hyperparameter -> value.
    errors
        Set -> ``{"energy_rmse": meV/atom, "force_rmse": eV/Å, ..., "groups": {...}}``, of the fits of the trial.
    seconds
        Stage -> time.
    failure
        Why it has no loss, in words, or None.
    """

    def __init__(self, results: StudyResults, trial: Trial) -> None:
        self._results, self._trial = results, trial
        self.number, self.state, self.loss = trial.number, str(trial.state), trial.loss
        self.values = dict(trial.values)
        self.errors = {name: ErrorTable.from_json(data).summary() for name, data in trial.errors.items()}
        self.seconds = dict(trial.seconds)
        self.failure = trial.failure.message if trial.failure else None

    def __repr__(self) -> str:
        loss = "no loss" if self.loss is None else f"loss {self.loss:.5g}"
        return f"<trial {self.number}, {self.state}, {loss}>"

    @cached_property
    def potential(self) -> Any:
        """The fitted potential; a trial that did not win is fitted again, to all training structures."""
        from xpot_core.deliver.export import potential_of
        from xpot_core.trial.runner import TrialRunner

        final = self._results.final
        if final is not None and final["trial"] == self.number:
            return self._results.potential()
        self._folder = tempfile.TemporaryDirectory()  # is removed with the trial
        runner = TrialRunner.of_results(self._results)
        return potential_of(self._results, self._trial, runner, Path(self._folder.name))

    def calculator(self) -> Any:
        """An ASE calculator of the fitted potential.

        Raises
        ------
        InputError
            If no installed predictor of its format offers one.
        """
        from xpot_core.plugins.registry import load_registry

        predictor = load_registry().predictor_for(self.potential.format)
        make = predictor.tool("calculator")
        if make is None:
            raise InputError(f"predictor '{predictor.name}' offers no ASE calculator")
        return make(self.potential)

    def export(self, folder: str | Path, *, scripts: bool = False) -> Path:
        """Write potential, LAMMPS input, ASE script, provenance and checksums to a new folder."""
        from xpot_core.deliver.export import export_trial

        export_trial(self._results, self.number, Path(folder), scripts=scripts)
        return Path(folder)


class OpenedTrials(Sequence[OpenedTrial]):
    """The trials of an opened study, in order of number; a notebook shows them as a table."""

    def __init__(self, results: StudyResults) -> None:
        self._results = results

    def __len__(self) -> int:
        return len(self._results.trials)

    @overload
    def __getitem__(self, index: int) -> OpenedTrial: ...

    @overload
    def __getitem__(self, index: slice) -> list[OpenedTrial]: ...

    def __getitem__(self, index: int | slice) -> OpenedTrial | list[OpenedTrial]:
        found = self._results.trials[index]
        if isinstance(found, Trial):
            return OpenedTrial(self._results, found)
        return [OpenedTrial(self._results, trial) for trial in found]

    def __iter__(self) -> Iterator[OpenedTrial]:
        return (OpenedTrial(self._results, trial) for trial in self._results.trials)

    def __repr__(self) -> str:
        return f"<{len(self)} trials of {self._results.name}>"

    def to_dataframe(self) -> Any:
        """All trials as a pandas DataFrame, a row each; columns as in `StudyResults.to_dataframe`."""
        return trials_table(self._results.trials, self._results.objectives)

    def _repr_html_(self) -> str:
        html: str = self.to_dataframe()._repr_html_()
        return html


class OpenedStudy:
    """A study read back, as it was when it was opened.

    Attributes
    ----------
    results
        Everything that its store holds, for plugins and scripts.
    """

    def __init__(self, results: StudyResults) -> None:
        self.results = results

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.results.name

    @property
    def directory(self) -> Path:
        """Its run folder."""
        return self.results.directory

    @property
    def trials(self) -> OpenedTrials:
        """All trials, in order of number."""
        return OpenedTrials(self.results)

    @cached_property
    def best(self) -> OpenedTrial | None:
        """The winner; None before a trial is complete."""
        best = self.results.best
        return None if best is None else OpenedTrial(self.results, best)

    @property
    def errors(self) -> dict[str, Any]:
        """Set -> errors of the final potential, else of the best trial; meV/atom and eV/Å."""
        from xpot_core.report.statistics.series import shown_errors

        return {name: table.summary() for name, table in shown_errors(self.results).items()}

    def figure(self, name: str) -> ReportFigure:
        """One figure of the report; ``.figure`` is that of matplotlib, ``.save(folder)`` writes it.

        In a notebook it draws itself.

        Raises
        ------
        InputError
            If there is none of this name.
        """
        from xpot_core.report.figures.draw import make_figures

        found = make_figures(self.results, only=name)
        if name not in found:
            found = make_figures(self.results)
        if name not in found:
            raise InputError("there is no such figure", key="figure", value=name, remedy=nearest(name, found))
        return found[name]

    def figures(self) -> dict[str, ReportFigure]:
        """Every figure that the study has data for, by name."""
        from xpot_core.report.figures.draw import make_figures

        return make_figures(self.results)

    def report(self, file: str | Path | None = None) -> Path:
        """Write the report, one HTML file; ``report.html`` in the run folder by default."""
        from xpot_core.report.html.study import write_report

        return write_report(self.results, None if file is None else Path(file))[0]

    def refresh(self) -> OpenedStudy:
        """The study as it is now."""
        return OpenedStudy(StudyResults.open(self.directory))

    def __repr__(self) -> str:
        best = "no winner yet" if self.best is None else f"best {self.best!r}"
        return f"<study {self.name}: {len(self.trials)} trials, {best}>"

    def _repr_html_(self) -> str:
        return self.results._repr_html_()
