"""The part that runs inside dask workers: trials in child processes that can be watched and killed.

A dask worker runs a task in a thread, which nothing can end from outside. So the thread only hands the trial
to a warm child process, as the executor ``local`` does, and waits: a fit that hangs, crashes or takes too much
memory costs its child, never the worker. The child also keeps what it has read: data travel once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from xpot_core.api import (
    ExecutorContext,
    Failure,
    Limits,
    LocalExecutor,
    LocalOptions,
    TrialResult,
    TrialState,
    TrialTask,
)

_LOOK_SECONDS = 1.0


class WorkerClosing(Exception):
    """The dask worker was told to end while the trial ran: the trial has to run elsewhere."""


class TrialPlugin(WorkerPlugin):  # type: ignore[misc]
    """Runs the trials of one study in a dask worker; sent once to each worker, also to late ones.

    Parameters
    ----------
    name
        Under which tasks find it.
    study
        ``WorkerSpec.to_json()``.
    directory
        The run folder, which the worker must see.
    limits
        Time and memory per trial.
    """

    def __init__(self, name: str, study: Mapping[str, Any], directory: str, limits: Limits) -> None:
        self.name = name
        self.study, self.directory, self.limits = dict(study), directory, limits

    def setup(self, worker: Worker) -> None:
        """Children start with the first trials."""
        self._lock = threading.Lock()
        self._idle: list[LocalExecutor] = []
        self._busy: dict[int, LocalExecutor] = {}
        self._closed = False

    def teardown(self, worker: Worker) -> None:
        """End the children; trials at work are given back."""
        with self._lock:
            self._closed = True
            children = [*self._idle, *self._busy.values()]
        for child in children:
            with contextlib.suppress(Exception):
                child.close(cancel=True)

    def cancel(self, number: int) -> None:
        """End one trial."""
        with self._lock:
            child = self._busy.pop(number, None)
        if child is not None:
            child.close(cancel=True)

    def run(self, task: TrialTask) -> TrialResult:
        """Run a trial in a child of its own, watched for its limits."""
        if not Path(self.directory).is_dir():
            return _not_shared(task, self.directory)
        child = self._take(task.number)
        try:
            child.submit(task)
            while True:
                results = child.collect(timeout=_LOOK_SECONDS)
                if results and not (results[0].failure and self._gone(task.number)):
                    return _of_dask(results[0])
                # A child that is being ended by `teardown` or `cancel` reports a death, which is not the fit's.
                if self._gone(task.number):
                    raise WorkerClosing
        except (KeyError, ValueError, OSError) as error:
            # The child was closed while this thread was waiting for it.
            if self._gone(task.number):
                raise WorkerClosing from error
            raise
        finally:
            self._give_back(task.number, child)

    def _give_back(self, number: int, child: LocalExecutor) -> None:
        """Keep the child for the next trial, unless it was ended meanwhile."""
        with self._lock:
            mine = self._busy.pop(number, None) is child and not self._closed
            if mine:
                self._idle.append(child)
        if not mine:
            # Once more from here: this thread may have started the process after `teardown` had looked for one.
            child.close(cancel=True)

    def _take(self, number: int) -> LocalExecutor:
        with self._lock:
            if self._closed:
                raise WorkerClosing
            if self._idle:
                child = self._idle.pop()
            else:
                child = LocalExecutor(LocalOptions(workers=1))
                child.start(ExecutorContext(self.study, Path(self.directory), self.limits))
            self._busy[number] = child
            return child

    def _gone(self, number: int) -> bool:
        with self._lock:
            return self._closed or number not in self._busy


def run_trial(plugin: str, task: dict[str, Any]) -> dict[str, Any]:
    """What a dask task is: one trial on the worker that it came to."""
    worker = get_worker()
    # The coordinator counts the beginnings: a trial that ends its workers is not tried for ever.
    worker.log_event(plugin, {"number": task["number"], "worker": worker.address})
    runner: TrialPlugin = worker.plugins[plugin]
    return runner.run(TrialTask.from_json(task)).to_json()


async def cancel_trial(plugin: str, number: int, dask_worker: Worker) -> None:
    """End a trial on a worker, called by `Client.run`, which waits for plain functions only."""
    runner = dask_worker.plugins.get(plugin)
    if runner is not None:
        runner.cancel(number)


def _of_dask(result: TrialResult) -> TrialResult:
    """The same result; a child's end is reported under this executor's name."""
    if result.failure is None or result.failure.plugin != "executor local":
        return result
    return dataclasses.replace(result, failure=dataclasses.replace(result.failure, plugin="executor dask"))


def _not_shared(task: TrialTask, directory: str) -> TrialResult:
    failure = Failure(
        "worker",
        "executor dask",
        f"the worker does not see the folder {directory}",
        "put the study and its data on a file system that all workers share",
    )
    return TrialResult(task.number, TrialState.FAILED, failure=failure)
