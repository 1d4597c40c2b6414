"""A plugin file for benchmarks of the core: fits that burn time, executors without fits."""

from __future__ import annotations

import heapq
import json
import math
import time
from collections.abc import Iterable

from xpot_core.api import (
    ExecutorContext,
    ExecutorProvider,
    FitRequest,
    FittedPotential,
    FitterProvider,
    OptionsModel,
    Range,
    TrialResult,
    TrialState,
    TrialTask,
    hookimpl,
    option,
)


class BurnOptions(OptionsModel):
    """Options of ``burn``."""

    level: float = option(1.0, "Energy of each atom.", unit="eV", tune=Range(-3.0, 3.0))
    other: float = option(1.0, "Nothing.", tune=Range(0.1, 3.0))
    seconds: float = option(1.0, "CPU time of a fit.", unit="s", ge=0)


class BurnFitter:
    """Keeps a core busy, as a fit does."""

    def fit(self, request: FitRequest) -> FittedPotential:
        options = request.options
        assert isinstance(options, BurnOptions)
        end = time.process_time() + options.seconds
        x = 0.5
        while time.process_time() < end:
            for _ in range(1000):
                x = math.sin(x) + 1.0
        (request.directory / "level.json").write_text(json.dumps(options.level))
        return FittedPotential.from_files(
            "faulty", request.directory, {"level": "level.json"}, request.data.elements
        )


class SleepersOptions(OptionsModel):
    """Options of ``sleepers``."""

    workers: int = option(1, "Trials at once.", ge=1)
    seconds: float = option(0.0, "How long a trial takes.", unit="s", ge=0)


class Sleepers:
    """Any number of workers that do nothing for a while: what is left is the coordinator's own work."""

    def __init__(self, options: SleepersOptions) -> None:
        self.options = options
        self.capacity = options.workers
        self._ends: list[tuple[float, int, float]] = []
        self.busy = 0.0

    def start(self, context: ExecutorContext) -> None:
        pass

    def submit(self, task: TrialTask) -> None:
        loss = sum(float(v) ** 2 for v in task.values.values())
        heapq.heappush(self._ends, (time.monotonic() + self.options.seconds, task.number, loss))
        self.busy += self.options.seconds

    def collect(self, timeout: float | None = None) -> list[TrialResult]:
        if not self._ends:
            return []
        wait = self._ends[0][0] - time.monotonic()
        if wait > 0:
            time.sleep(wait if timeout is None else min(wait, timeout))
        results: list[TrialResult] = []
        while len(results) < 200 and self._ends and self._ends[0][0] <= time.monotonic():
            _, number, loss = heapq.heappop(self._ends)
            results.append(
                TrialResult(
                    number,
                    TrialState.COMPLETE,
                    loss=loss,
                    objectives=(loss,),
                    parts={"force": loss},
                    worker="sleeper",
                )
            )
        return results

    def close(self, *, cancel: bool = False) -> None:
        self._ends.clear()


@hookimpl
def xpot_register_fitters() -> Iterable[FitterProvider]:
    """`burn`."""
    yield FitterProvider(
        "burn", "keeps a core busy", f"{__name__}:BurnFitter", BurnOptions, produces=("faulty",)
    )


@hookimpl
def xpot_register_executors() -> Iterable[ExecutorProvider]:
    """`sleepers`."""
    yield ExecutorProvider("sleepers", "workers that do nothing", f"{__name__}:Sleepers", SleepersOptions)
