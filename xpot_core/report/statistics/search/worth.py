"""What a search was worth: its gain over the point it began with, and what it says about its hyperparameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from xpot_core.optimize.next_trials import starting_points
from xpot_core.report.statistics.series import varied
from xpot_core.results.read import StudyResults
from xpot_core.search.winner.start_point import START_FOLDER
from xpot_core.space.parameters import Choice
from xpot_core.statistics.number_text import fixed, number
from xpot_core.statistics.predictions import predictions_of, read_folder
from xpot_core.trial.inner_search import inner_names
from xpot_core.types.trials import Trial, ranked

WORTH_NAME = "worth.json"
"""In the run folder: what was computed when the run ended; the draws take longer than a table may."""
_EDGE = 0.01
"""Nearer to an end of its range than this part of it, a hyperparameter is at the edge."""
_MATTERS = 0.1
"""A hyperparameter matters from this share of the variance on."""
_TRUSTED = 0.5
"""Leave-one-out R² of the model of the loss below which its shares are not told."""
_TOP = 10


@dataclass(frozen=True)
class Worth:
    """Sentences for a reader.

    Attributes
    ----------
    gain
        Of the winner over the starting point: loss, then each error with its interval.
    spread
        How far the best ten trials lie apart.
    selected
        The winner against the runner-up, and structures that decide between them.
    edges
        Hyperparameters of the winner at an end of their range.
    mattered
        Which hyperparameters the loss depends on; empty where that was not computed or is not known.
    """

    gain: tuple[str, ...] = ()
    spread: str = ""
    selected: tuple[str, ...] = ()
    edges: str = ""
    mattered: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """Heading and sentence."""
        rows = [("gain", sentence) for sentence in self.gain]
        rows += [("best trials", self.spread)] if self.spread else []
        rows += [("selection", sentence) for sentence in self.selected]
        rows += [("at the edge", self.edges)] if self.edges else []
        return [*rows, ("mattered", self.mattered)] if self.mattered else rows


def worth(results: StudyResults, *, compute: bool = False) -> Worth:
    """What the search was worth.

    Parameters
    ----------
    results
        The study.
    compute
        Also what takes seconds: intervals of the gain, and a model of the loss. It is kept in the run folder; without,
        what is kept there is shown.
    """
    best = results.best
    if best is None or not len(results.space):
        return Worth()
    kept = _kept(results, best)
    if kept is None and compute:
        from xpot_core.report.statistics.search.selection import selection

        kept = tuple(_gains(results)), tuple(selection(results)), _mattered(results)
        _keep(results, best, *kept)
    gain, selected, mattered = kept or ((), (), "")
    return Worth(
        (*_loss_gain(results, best), *gain), _spread(results), selected, _edges(results, best), mattered
    )


def start_of(results: StudyResults) -> tuple[Trial, float] | None:
    """The trial of the starting point, if it was completed, and the loss of that point.

    In a nested search that loss is the one from which the inner search of the trial began.
    """
    config = results.study_file.config
    starts = starting_points(config.start_with, results.space)
    if not starts:
        return None
    start, defaults = starts[0], results.space.defaults()
    nested = config.search.nested is not None
    inner = set(inner_names(results.space)) if nested else set()
    if any(start[name] != defaults[name] for name in inner):
        return None  # the inner search begins from the defaults, whatever the starting point says
    for trial in results.trials:
        alike = all(trial.values.get(name) == value for name, value in start.items() if name not in inner)
        if trial.comparable and not trial.from_prior and alike:
            loss = trial.inner.default_loss if inner and trial.inner is not None else trial.loss
            return None if loss is None else (trial, loss)
    return None


def _start_name(results: StudyResults) -> str:
    first = results.study_file.config.start_with[:1]
    return "the defaults" if first in ([], ["defaults"]) else "the starting point"


def _loss_gain(results: StudyResults, best: Trial) -> list[str]:
    start = start_of(results)
    named = _start_name(results)
    if start is None or best.loss is None or len(results.objectives) > 1:
        return []
    trial, loss = start
    if trial.number == best.number and loss <= best.loss:
        others = sum(t.comparable for t in results.trials) - 1
        if not others:
            return []  # nothing was searched
        return [f"{named} won: none of {others} other trials has a smaller loss than {number(best.loss)}"]
    less = 100 * (1 - best.loss / loss) if loss > 0 else 0.0
    return [
        f"the smallest loss is {less:.0f} % below that of {named}: {number(best.loss)} against {number(loss)}"
    ]


def _gains(results: StudyResults) -> list[str]:
    """Verdicts on the errors of winner and starting point, structure by structure."""
    from xpot_core.statistics.paired import compared_structures

    best = results.best
    if best is None or results.final is None or results.final["trial"] != best.number:
        return []  # the run has not ended: what lies in best/ is of an earlier winner
    winner = predictions_of(results)
    start = read_folder(results.directory / "best" / START_FOLDER)
    sentences = []
    for name in ("validation", "test"):
        both = [winner.get(name, []), start.get(name, [])]
        if not all(both) or [s.identity for s in both[0]] != [s.identity for s in both[1]]:
            continue
        compared = compared_structures(("the winner", _start_name(results)), name, both, seed=0)
        sentences += [verdict.text() for verdict in compared.verdicts if verdict.quantity != "virial"]
    return sentences


def _spread(results: StudyResults) -> str:
    losses = [t.loss for t in ranked(results.trials)[:_TOP] if t.loss is not None]
    if len(losses) < 2 or len(results.objectives) > 1 or losses[0] <= 0:
        return ""
    apart = 100 * (losses[-1] / losses[0] - 1)
    return f"the best {len(losses)} have losses from {fixed(losses[0])} to {fixed(losses[-1])}, {apart:.0f} % apart"


def _edges(results: StudyResults, best: Trial) -> str:
    found = []
    for p in results.space:
        value = best.values.get(p.name)
        if isinstance(p, Choice) or value is None:
            continue
        place = p.to_unit(value)
        if not _EDGE < place < 1 - _EDGE:
            found.append(f"{p.name} {number(value)} ({'lower' if place <= _EDGE else 'upper'} end)")
    return f"{', '.join(found)}: the best value may lie outside of the range" if found else ""


def _mattered(results: StudyResults) -> str:
    if find_spec("sklearn") is None:
        return ""
    from xpot_core.report.statistics.search.surrogate import analyse

    complete = [t for t in results.trials if t.comparable]
    analysis = analyse(varied(results.space, complete), complete)
    if analysis is None:
        return ""
    if analysis.q2 < _TRUSTED:
        return f"{len(complete)} trials are too few to say which hyperparameters matter"
    shares = sorted(analysis.dependences, key=lambda d: -d.total)
    told = [f"{d.parameter.name} {100 * d.total:.0f} %" for d in shares if d.total >= _MATTERS]
    rest = len(shares) - len(told)
    return f"{', '.join(told)} of the variance of the loss" + (
        f"; {rest} others less than 10 % each" if rest else ""
    )


def _key(results: StudyResults, best: Trial) -> dict[str, Any]:
    return {
        "winner": best.number,
        "trials": len(results.trials),
        "refitted": (results.final or {}).get("trial"),
    }


def _kept(results: StudyResults, best: Trial) -> tuple[tuple[str, ...], tuple[str, ...], str] | None:
    """What was computed for these very trials: gain, selection, what mattered; None where nothing was."""
    try:
        data = json.loads((results.directory / WORTH_NAME).read_text(encoding="utf-8"))
        if data["of"] == _key(results, best):
            selected = tuple(map(str, data.get("selection", ())))
            return tuple(map(str, data["gain"])), selected, str(data["mattered"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _keep(
    results: StudyResults, best: Trial, gain: tuple[str, ...], selected: tuple[str, ...], mattered: str
) -> None:
    content = {"of": _key(results, best), "gain": gain, "selection": selected, "mattered": mattered}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    try:
        (results.directory / WORTH_NAME).write_text(text + "\n", encoding="utf-8")
    except OSError:  # a report may be made of a folder that is not ours
        return
