"""Optimizers: functions of history."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from xpot_core.space.history import History
from xpot_core.types.trials import Candidate


@runtime_checkable
class Optimizer(Protocol):
    """Proposes what to try next. Made with the validated options as only argument.

    Suggestions depend on the history and the seed in it alone; what the object keeps in memory
    is only a cache.
    """

    def suggest(self, history: History, n: int) -> list[Candidate]:
        """Up to n candidates; fewer (or none) when the search is exhausted.

        Parameters
        ----------
        history
            Every finished, failed and running trial, and the space.
        n
            How many candidates are wanted.
        """
        ...
