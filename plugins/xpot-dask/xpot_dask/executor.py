"""Executor ``dask``: trials as tasks of dask.distributed."""

from __future__ import annotations

import contextlib
import logging
import queue
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker

from xpot_core.api import ExecutorContext, Failure, TrialResult, TrialState, TrialTask, XpotError
from xpot_dask.clusters import LOCAL_WORKERS, connect, places, resources
from xpot_dask.options import DaskOptions
from xpot_dask.worker import TrialPlugin, WorkerClosing, cancel_trial, run_trial

_ATTEMPTS = 2
_REFRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
_FAREWELL_SECONDS = 10.0
# With more, workers would wait for each other's results, and then all end at the same time again.
_AT_ONCE = 200
_logger = logging.getLogger("xpot")


class DaskExecutor:
    """Sends tasks to whatever workers the cluster has at the moment."""

    def __init__(self, options: DaskOptions) -> None:
        self.options = options
        self._client: Client | None = None
        self._cluster: Any | None = None
        self._plugin = ""
        self._running: dict[int, tuple[TrialTask, Future]] = {}
        self._begun: Counter[int] = Counter()
        self._where: dict[int, str] = {}
        self._ended: queue.SimpleQueue[tuple[int, Future | None]] = queue.SimpleQueue()
        self._places, self._asked, self._started, self._warned = 0, 0.0, 0.0, False

    @property
    def capacity(self) -> int:
        """Places of the workers that are there now; never less than one, so that a trial waits for the first."""
        most = self.options.workers
        if self.options.address is None and self.options.cluster is None:
            return 1 if self.options.gpus else most or LOCAL_WORKERS
        found = max(self._connected(), 1)
        if self.options.cluster is not None:
            job = self.options.cluster.chosen[1]
            if job.minimum_jobs is not None:
                # The number of jobs follows the number of waiting tasks, so they must be shown.
                found = job.jobs * places(self.options)
        return found if most is None else min(found, most)

    def _connected(self) -> int:
        now = time.monotonic()
        if self._client is not None and now - self._asked > _REFRESH_SECONDS:
            with contextlib.suppress(Exception):  # a scheduler that is gone shows itself in `collect`
                self._places = self._places_of(self._client)
            self._asked = now
        return self._places

    def _places_of(self, client: Client) -> int:
        if not self.options.gpus:
            return sum(client.nthreads().values())
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        return sum(int(worker.get("resources", {}).get("GPU", 0)) for worker in workers)

    def start(self, context: ExecutorContext) -> None:
        """Connect, and send each worker what all trials share."""
        self._client, self._cluster = connect(self.options, context.directory, Path(context.study["base"]))
        self._plugin = f"xpot-{uuid.uuid4().hex[:12]}"
        self._client.subscribe_topic(self._plugin, self._on_begin)
        plugin = self.runner(context)
        self._client.register_plugin(plugin, name=self._plugin)
        self._started = time.monotonic()

    def runner(self, context: ExecutorContext) -> TrialPlugin:
        """What runs the trials in each worker."""
        return TrialPlugin(
            self._plugin,
            context.study,
            str(context.directory),
            context.limits,
        )

    def _on_begin(self, event: tuple[float, Any]) -> None:
        """A worker says that it begins a trial (called in dask's thread)."""
        _, message = event
        number = message["number"]
        self._begun[number] += 1
        self._where[number] = message["worker"]
        if self._begun[number] > _ATTEMPTS:
            self._ended.put((number, None))

    def submit(self, task: TrialTask) -> None:
        """Hand the task to the scheduler."""
        self._begun.pop(task.number, None)
        self._send(task)

    def _send(self, task: TrialTask) -> None:
        if self._client is None:
            raise RuntimeError("start() comes before submit()")
        key = f"xpot_trial-{task.number}-{uuid.uuid4().hex}"
        try:
            future = self._client.submit(
                run_trial,
                self._plugin,
                task.to_json(),
                key=key,
                pure=False,
                retries=0,
                resources=resources(self.options),
            )
        except Exception as error:
            raise self._lost_scheduler() from error
        self._running[task.number] = task, future
        future.add_done_callback(lambda done: self._ended.put((task.number, done)))

    def collect(self, timeout: float | None = None) -> list[TrialResult]:
        """Wait for the next end; a trial whose worker was told to close is sent again."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._running:
            wait = _REFRESH_SECONDS
            if deadline is not None:
                wait = min(wait, max(deadline - time.monotonic(), 0.0))
            try:
                ended = [self._ended.get(timeout=wait)]
            except queue.Empty:
                self._look()
                if deadline is not None and time.monotonic() >= deadline:
                    return []
                continue
            # Whatever else has ended is fetched in the same round trip: many workers end many trials at once.
            with contextlib.suppress(queue.Empty):
                while len(ended) < _AT_ONCE:
                    ended.append(self._ended.get_nowait())
            results = self._results(ended)
            if results:
                return results
        return []

    def _look(self) -> None:
        """Tell a lost scheduler, and a wait for workers that lasts; see ends that came back after a loss."""
        assert self._client is not None
        if self._client.status not in ("running", "connecting"):
            raise self._lost_scheduler()
        for number, (_, future) in self._running.items():
            if future.done():
                self._ended.put((number, future))
        waited = time.monotonic() - self._started
        if not self._warned and waited > _PATIENCE_SECONDS and not self._connected():
            self._warned = True
            _logger.warning("no worker has joined for %.0f s: the study waits for the first one", waited)

    def _results(self, ended: Iterable[tuple[int, Future | None]]) -> list[TrialResult]:
        """Results of the trials that ended; some may have been told twice, or be sent again."""
        results: list[TrialResult] = []
        finished: dict[int, Future] = {}
        for number, future in ended:
            if number not in self._running:
                continue
            current = self._running[number][1]
            if future is None:
                self._give_up(number, current)
                results.append(self._lost(number))
            elif future is current and future.status == "finished":
                finished[number] = future
            elif future is current:
                results += self._result(number)
        if len(finished) > 1:
            answers = self._fetch(finished)
            for number, answer in answers.items():
                del self._running[number], finished[number]
                results.append(answer)
        for number in finished:
            results += self._result(number)
        return results

    def _fetch(self, finished: Mapping[int, Future]) -> dict[int, TrialResult]:
        """Results of many trials in one round trip; none if anything is wrong with one of them."""
        assert self._client is not None
        try:
            found = _in_time(
                self._client, self._client.gather, list(finished.values()), seconds=self.options.timeout
            )
            return {n: TrialResult.from_json(data) for n, data in zip(finished, found, strict=True)}
        except Exception:
            return {}

    def _result(self, number: int) -> list[TrialResult]:
        """The result of a trial that ended; none if it runs again."""
        task, future = self._running.pop(number)
        try:
            return [TrialResult.from_json(future.result(timeout=self.options.timeout))]
        except KilledWorker:
            return [self._lost(number)]
        except WorkerClosing:
            if self._begun[number] < _ATTEMPTS:
                self._send(task)
                return []
            return [self._lost(number)]
        except Exception as error:
            if future.status in ("pending", "lost"):
                # The worker left between the end of the trial and our asking for the result: dask runs it again.
                self._running[number] = task, future
                return []
            if future.cancelled() or (future.status == "finished" and isinstance(error, OSError)):
                # Not the trial but the way to the scheduler is broken: the trial must not count as failed.
                self._running[number] = task, future
                raise self._lost_scheduler() from error
            return [
                _failed(
                    number,
                    f"dask could not run the trial: {type(error).__name__}: {error}",
                    "workers need the same versions of Python, xpot-core, xpot-dask and the study's plugins",
                )
            ]

    def _give_up(self, number: int, future: Future) -> None:
        """End a trial that was lost too often on a scheduler with other settings."""
        assert self._client is not None
        del self._running[number]
        with contextlib.suppress(Exception):
            future.cancel()
            where = [self._where[number]]
            self._client.run(cancel_trial, self._plugin, number, workers=where, wait=False)

    def _lost(self, number: int) -> TrialResult:
        return _failed(
            number,
            f"its worker was lost {_ATTEMPTS} times, last {self._where.get(number, 'unknown')}",
            "a job that the batch system ends for memory or time takes its trials along: see the logs of the jobs",
        )

    def _lost_scheduler(self) -> XpotError:
        where = self.options.address or "of this run"
        return XpotError(
            f"the dask scheduler {where} is gone",
            remedy="run the same command again when it is back: trials at work are run again, nothing is lost",
        )

    def close(self, *, cancel: bool = False) -> None:
        """End the children of all workers, leave the cluster, and end it if it is ours."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        self._running.clear()
        if client is not None:
            if client.status == "running":
                # A worker that is frozen does not answer, and must not hold up the others' end.
                with contextlib.suppress(Exception):
                    _in_time(client, client.unregister_worker_plugin, self._plugin, seconds=_FAREWELL_SECONDS)
            with contextlib.suppress(Exception):
                client.close(timeout=5)
        if cluster is not None:
            with contextlib.suppress(Exception):
                cluster.close(timeout=20)


def _in_time(client: Client, method: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
    """Call a method of the client that knows no time-out; inside dask's own thread it gives a coroutine."""
    return client.sync(lambda: method(*arguments), callback_timeout=seconds)


def _failed(number: int, message: str, hint: str) -> TrialResult:
    failure = Failure("worker", "executor dask", message, hint, retryable=True)
    return TrialResult(number, TrialState.FAILED, failure=failure)
