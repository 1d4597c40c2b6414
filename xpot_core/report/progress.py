"""Progress of a running study: a live line on a terminal, one line a trial in a log."""

from __future__ import annotations

import importlib
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from xpot_core.search.loop import Observer, Study
from xpot_core.statistics.number_text import duration
from xpot_core.system.progress import Tell, heard_by
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.quantities import ENERGY, FORCE
from xpot_core.types.trials import Trial, TrialState, best_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_BARS = "▁▂▃▄▅▆▇█"
_SECONDS_BETWEEN_LINES = 30.0
"""Of progress within a trial, in a log."""


@contextmanager
def make_observer(console: Console, quiet: bool) -> Iterator[Observer]:
    """The observer that fits the place where output goes."""
    if quiet:
        yield SilentObserver()
    elif in_notebook():
        yield NotebookObserver()
    elif not console.is_terminal:
        yield LogObserver(console)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}", markup=False),
        )
        with Progress(*columns, console=console) as progress:
            yield LiveObserver(progress)


def in_notebook() -> bool:
    """Whether output goes to a notebook."""
    python = sys.modules.get("IPython")
    shell = python.get_ipython() if python is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


class SilentObserver:
    """Says nothing; counts what the others show."""

    def __init__(self) -> None:
        self.trials: dict[int, Trial] = {}
        self.budget = 0
        self.began = time.monotonic()
        self.done_before = 0
        self.limit: float | None = None

    def study_started(self, study: Study, trials: list[Trial], budget: int) -> None:
        """Take over the history."""
        self.trials = {t.number: t for t in trials}
        self.budget = budget
        self.done_before = self.finished
        self.limit = study.config.budget.time

    def trial_started(self, trial: Trial) -> None:
        """Keep the running trial."""
        self.trials[trial.number] = trial

    def trial_finished(self, trial: Trial) -> None:
        """Keep the finished trial."""
        self.trials[trial.number] = trial

    def progress(self, number: int | None, text: str) -> None:
        """Nothing to say."""

    def message(self, text: str) -> None:
        """Nothing to say."""

    @property
    def finished(self) -> int:
        """Number of finished trials."""
        return sum(t.state.finished and not t.from_prior for t in self.trials.values())

    @property
    def best(self) -> Trial | None:
        """The best trial so far."""
        return best_of(list(self.trials.values()))

    @property
    def seconds_left(self) -> float:
        """Time to the budget of trials at the pace of this run, or to that of time; NaN before the first trial."""
        done, spent = self.finished - self.done_before, time.monotonic() - self.began
        if not done:
            return math.nan
        left = spent / done * (self.budget - self.finished)
        return left if self.limit is None else max(0.0, min(left, self.limit - spent))

    @property
    def time_left(self) -> str:
        """The same in words: how long, and when that is; empty where it is not known or nothing is left."""
        left = self.seconds_left
        if math.isnan(left) or left <= 0:
            return ""
        end = time.localtime(time.time() + left)
        when = time.strftime("%H:%M" if left < 12 * 3600 else "%a %H:%M", end)
        return f"{duration(left)} left, until {when}" if left >= 60 else f"{left:.0f} s left"


class LogObserver(SilentObserver):
    """One plain line a trial, for logs of batch jobs."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self._told = -math.inf

    def progress(self, number: int | None, text: str) -> None:
        """Write a line now and then."""
        self.now_and_then(f"{_name(number)}: {text}")

    def now_and_then(self, text: str) -> None:
        """Write a line unless one was written just before."""
        if (now := time.monotonic()) - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            self.console.print(text, markup=False)

    def trial_finished(self, trial: Trial) -> None:
        """Write the line."""
        super().trial_finished(trial)
        best = self.best
        mark = " *" if best is not None and best.number == trial.number else ""
        line = f"[{self.finished}/{self.budget}] trial {trial.number} {describe(trial)}{mark}"
        left = self.time_left
        self.console.print(f"{line}  ({left})" if left else line, markup=False)

    def message(self, text: str) -> None:
        """Write it."""
        self.console.print(text, markup=False)


class LiveObserver(SilentObserver):
    """A bar with the best loss, its errors, a sparkline of the losses and the time left."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.bars = progress
        self.task = progress.add_task("starting", total=None, status="")
        self._step = ""

    def study_started(self, study: Study, trials: list[Trial], budget: int) -> None:
        """Set the bar."""
        super().study_started(study, trials, budget)
        self.bars.update(self.task, description=study.config.study, total=budget, completed=self.finished)
        self._update()

    def trial_started(self, trial: Trial) -> None:
        """Count it as running."""
        super().trial_started(trial)
        self._update()

    def progress(self, number: int | None, text: str) -> None:
        """Show it behind the bar until the next trial ends."""
        self._step = f"{_name(number)}: {text}"
        self._update()

    def trial_finished(self, trial: Trial) -> None:
        """Advance the bar; failures stay readable above it."""
        super().trial_finished(trial)
        self._step = ""
        if trial.failure is not None:
            self.bars.console.print(f"trial {trial.number} {describe(trial)}", markup=False)
        self.bars.update(self.task, completed=self.finished)
        self._update()

    def message(self, text: str) -> None:
        """Write it above the bar."""
        self.bars.console.print(text, markup=False)

    def _update(self) -> None:
        best = self.best
        running = [str(t.number) for t in self.trials.values() if t.state is TrialState.RUNNING]
        parts = []
        if best is not None:
            parts.append(f"best {best.number}: {describe(best)}")
        parts.append(sparkline([t.loss for t in self.trials.values() if t.loss is not None]))
        if running:
            parts.append(f"running {', '.join(running)}")
        parts += [self._step, self.time_left]
        self.bars.update(self.task, status="  ".join(p for p in parts if p))


class NotebookObserver(SilentObserver):
    """One line below the cell that changes with each trial."""

    def __init__(self) -> None:
        super().__init__()
        shown: Any = importlib.import_module("IPython.display")  # is there where a notebook is
        self._html = shown.HTML
        self._line = shown.display(shown.HTML("starting"), display_id=True)
        self._name = ""

    def study_started(self, study: Study, trials: list[Trial], budget: int) -> None:
        """Show the history."""
        super().study_started(study, trials, budget)
        self._name = study.config.study
        self._update()

    def trial_finished(self, trial: Trial) -> None:
        """Move the bar on."""
        super().trial_finished(trial)
        self._update()

    def message(self, text: str) -> None:
        """Show it behind the bar."""
        self._update(text)

    def progress(self, number: int | None, text: str) -> None:
        """Show it behind the bar."""
        self._update(f"{_name(number)}: {text}")

    def _update(self, text: str = "") -> None:
        best = self.best
        parts = [self._name, f"{self.finished} of {self.budget} trials"]
        if best is not None:
            parts.append(f"best {best.number}: {describe(best)}")
        parts += [p for p in (self.time_left, text) if p]
        bar = f"<progress value='{self.finished}' max='{self.budget}'></progress> "
        self._line.update(self._html(bar + escape(", ".join(parts))))


@contextmanager
def tell_progress(console: Console) -> Iterator[Tell]:
    """What shows how far the work inside is: a line that changes on a terminal, lines now and then in a log."""
    if not console.is_terminal:
        told = LogObserver(console).now_and_then
        with heard_by(told):
            yield told
        return
    from rich.text import Text

    def update(text: str) -> None:
        status.update(Text(text))

    with console.status("") as status, heard_by(update):
        yield update


def _name(number: int | None) -> str:
    return "refit" if number is None else f"trial {number}"


def describe(trial: Trial) -> str:
    """Loss and errors of a trial, or why it has none, on one line; both if a constraint refused it."""
    text = ""
    if trial.failure is not None:
        first = trial.failure.message.splitlines()[0]
        text = f"{trial.state} in {trial.failure.stage}: {first[:100]}"
    if trial.state is TrialState.PRUNED:
        return f"{trial.state}: {trial.notes[-1]}"
    loss = trial.loss if trial.refused_loss is None else trial.refused_loss
    if loss is None:
        return text
    known = f"loss {loss:.5g}" + (f" at {trial.fidelity:g}" if trial.fidelity is not None else "")
    if "validation" in trial.errors:
        summary = ErrorTable.from_json(trial.errors["validation"]).summary()
        for quantity in (ENERGY, FORCE):
            if (value := summary[f"{quantity.name}_rmse"]) is not None:
                known += f"  {quantity.letter} {value:.3g} {quantity.unit}"
    return f"{text}; {known}" if text else known


def sparkline(losses: list[float], width: int = 24) -> str:
    """The last losses as small bars, on a logarithmic scale."""
    shown = [math.log(loss) for loss in losses[-width:] if loss > 0]
    if len(shown) < 2 or max(shown) == min(shown):
        return ""
    span = max(shown) - min(shown)
    return "".join(_BARS[int((value - min(shown)) / span * (len(_BARS) - 1))] for value in shown)
