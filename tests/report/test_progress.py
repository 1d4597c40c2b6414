"""How the progress of one fit looks where it is shown."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from xpot_core.report.progress import LiveObserver, LogObserver, tell_progress
from xpot_core.types.trials import Trial, TrialState


def test_log_has_a_line_of_a_long_trial_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    observer = LogObserver(Console(file=out, width=100))
    clock = iter([0.0, 10.0, 31.0])
    monkeypatch.setattr("xpot_core.report.progress.time.monotonic", lambda: next(clock))
    for done in (1, 2, 3):
        observer.progress(4, f"{done} of 9 [atoms]")
    assert out.getvalue() == "trial 4: 1 of 9 [atoms]\ntrial 4: 3 of 9 [atoms]\n"


def test_live_line_shows_the_step_until_its_trial_ends() -> None:
    with Progress(console=Console(file=io.StringIO(), force_terminal=True)) as bars:
        observer = LiveObserver(bars)
        observer.trial_started(Trial(4, TrialState.RUNNING, {}))
        observer.progress(4, "1 of 9 atoms")
        assert "trial 4: 1 of 9 atoms" in bars.tasks[0].fields["status"]
        observer.trial_finished(Trial(4, TrialState.COMPLETE, {}, loss=1.0))
        assert "of 9 atoms" not in bars.tasks[0].fields["status"]


@pytest.mark.parametrize("terminal", [True, False])
def test_one_fit_tells_how_far_it_is(terminal: bool) -> None:
    out = io.StringIO()
    with tell_progress(Console(file=out, width=100, force_terminal=terminal)) as tell:
        tell("1 of 9 [atoms]")
    assert ("1 of 9 [atoms]" in out.getvalue()) or terminal
    assert terminal or out.getvalue() == "1 of 9 [atoms]\n"
