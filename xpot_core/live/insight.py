"""What takes seconds to compute from a study: made beside the requests, one after the other, and kept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from xpot_core.report.plotted.trade_off import picks
from xpot_core.report.statistics.search.surrogate import Analysis, analyse
from xpot_core.report.statistics.series import Series, varied
from xpot_core.results.read import StudyResults

PENDING = "The model of the loss is being made; it appears here in a moment."
_GROWTH = 1.1
"""It is made anew once there are so many times more complete trials."""
_logger = logging.getLogger("xpot.live")


@dataclass(frozen=True)
class Insight:
    """Attributes: complete trials that it rests on, the surrogate of the loss, what each balance would choose."""

    trials: int
    model: Analysis | None
    picks: Mapping[int, list[float]]


class Insights:
    """Insights into studies, by name."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="insight")
        self._lock = threading.Lock()
        self._found: dict[str, Insight] = {}
        self._asked: dict[str, int] = {}

    def trials(self, name: str) -> int:
        """How many trials the insight into a study rests on; changes with it."""
        known = self._found.get(name)
        return 0 if known is None else known.trials

    def of(self, name: str, results: StudyResults, series: Series) -> Insight | None:
        """The insight into a study, perhaps from fewer trials; None where it is made just now."""
        count = int(series.complete.sum())
        with self._lock:
            known = self._found.get(name)
            asked = self._asked.get(name, 0)
            if count > _GROWTH * asked or count < asked:
                self._asked[name] = count
                self._worker.submit(self._make, name, count, results, series)
            return known

    def _make(self, name: str, count: int, results: StudyResults, series: Series) -> None:
        from threadpoolctl import threadpool_limits  # scikit-learn requires it

        try:
            complete = [t for t, ok in zip(series.trials, series.complete, strict=True) if ok]
            with threadpool_limits(1):  # the cores belong to the study that runs
                made = Insight(count, analyse(varied(results.space, complete), complete), picks(results))
        except Exception:
            # A panel without a model is still a panel.
            _logger.exception("no model of study '%s' could be made", name)
            made = Insight(count, None, {})
        with self._lock:
            self._found[name] = made
