"""How sure the choice of the winner is: the runner-up beside it, and the structures that decide between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xpot_core.results.read import StudyResults
from xpot_core.search.winner.start_point import RUNNER_UP_FOLDER
from xpot_core.statistics.number_text import fixed
from xpot_core.statistics.paired import compared_structures
from xpot_core.statistics.predictions import Structure, predictions_of, read_folder, squared_errors

_FEW = 5
"""Structures that are named; a choice that more of them carry does not hang on single ones."""
_QUANTITIES = ("energy", "force")


def selection(results: StudyResults) -> list[str]:
    """Why the winner won, and verdicts on it and the runner-up on the validation set, where that was fitted."""
    best, final = results.best, results.final
    if best is None or final is None or final["trial"] != best.number:
        return []
    told = [final["choice"]] if final.get("choice") else []
    told += _repeats(final.get("repeats") or {})
    return told + _against_runner_up(results, final.get("runner_up"))


def _repeats(losses: Mapping[str, Sequence[float | None]]) -> list[str]:
    if not losses:
        return []
    shown = [
        f"trial {trial} {' '.join('failed' if loss is None else fixed(loss) for loss in found)}"
        for trial, found in losses.items()
    ]
    count = len(next(iter(losses.values())))
    return [f"losses by {count} assignments to folds: {', '.join(shown)}"]


def _against_runner_up(results: StudyResults, second: Mapping[str, Any] | None) -> list[str]:
    if second is None:
        return []
    pair = [
        predictions_of(results).get("validation", []),
        read_folder(results.directory / "best" / RUNNER_UP_FOLDER).get("validation", []),
    ]
    if not all(pair) or [s.identity for s in pair[0]] != [s.identity for s in pair[1]]:
        return []
    names = ("the winner", f"the runner-up trial {second['trial']}")
    verdicts = compared_structures(names, "validation", pair, seed=0).verdicts
    told = [verdict.text() for verdict in verdicts if verdict.quantity in _QUANTITIES]
    for quantity in _QUANTITIES:
        found = deciding(pair[0], pair[1], quantity)
        if found:
            listed = ", ".join(f"{s.source} ({s.group})" for s in found)
            word = "structure" if len(found) == 1 else "structures"
            told.append(
                f"validation {quantity}: without {len(found)} {word} the runner-up would be ahead: {listed}"
            )
    return told


def deciding(winner: Sequence[Structure], other: Sequence[Structure], quantity: str) -> list[Structure]:
    """The fewest structures without which the other is ahead; none where it is ahead anyway, or they are many."""
    gap = squared_errors(other, quantity)[0] - squared_errors(winner, quantity)[0]
    ahead = float(gap.sum())
    if ahead <= 0.0:
        return []
    order = np.argsort(-gap, kind="stable")
    needed = int(np.searchsorted(np.cumsum(gap[order]), ahead, side="left")) + 1
    return [winner[i] for i in order[:needed]] if needed <= min(_FEW, len(gap) // 2) else []
