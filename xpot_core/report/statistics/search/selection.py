"""How sure the choice of the winner is: the runner-up beside it, and the structures that decide between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xpot_core.results.read import StudyResults
from xpot_core.search.start_point import RUNNER_UP_FOLDER
from xpot_core.statistics.paired import compared_structures
from xpot_core.statistics.predictions import Structure, predictions_of, read_folder, squared_errors

_FEW = 5
"""Structures that are named; a choice that more of them carry does not hang on single ones."""
_QUANTITIES = ("energy", "force")


def selection(results: StudyResults) -> list[str]:
    """Verdicts on winner and runner-up on the validation set; empty where the runner-up was not fitted."""
    best, second = results.best, (results.final or {}).get("runner_up")
    if best is None or second is None or results.final is None or results.final["trial"] != best.number:
        return []
    pair = [
        predictions_of(results).get("validation", []),
        read_folder(results.directory / "best" / RUNNER_UP_FOLDER).get("validation", []),
    ]
    if not all(pair) or [s.identity for s in pair[0]] != [s.identity for s in pair[1]]:
        return []
    names = ("the winner", f"the runner-up, trial {second['trial']},")
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
