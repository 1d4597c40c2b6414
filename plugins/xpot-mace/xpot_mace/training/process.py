"""The process that trains: started once, it keeps torch and mace loaded from one training to the next."""

from __future__ import annotations

import atexit
import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from xpot_core.api import (
    THREAD_VARIABLES,
    FitError,
    InfeasibleError,
    Limits,
    PrunedError,
    TrialTimeoutError,
    child_process,
    log_tail,
)
from xpot_mace.training.messages import Done, Epoch, Failed, Go, Job, Keep, Kept, Stop, Stopped

_POLL_SECONDS = 0.2
_STOP_SECONDS = 60.0
_TRAININGS = 50
"""After so many, a fresh process: torch never forgets what it compiled."""
_MEMORY = "lower batch_size, num_channels or max_L"
_REMEDIES = {
    "memory": _MEMORY,
    "gpu": "write device: cpu or auto; on a cluster, ask for a GPU",
    "nan": "lower lr, or weigh energies and forces less differently",
    "input": None,
    "other": "see the log tail",
}


class TrainingProcess:
    """A process of this one that trains on demand, one training after the other."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._log = Path()
        self._trainings = 0

    def train(
        self,
        job: Job,
        on_epoch: Callable[[Epoch], None],
        keep: Callable[[Callable[[Path], None]], None],
        limits: Limits,
    ) -> Done:
        """Train, and hear of every epoch.

        Parameters
        ----------
        job
            What to train.
        on_epoch
            Called after each epoch. Whatever it raises ends the training.
        keep
            Called after that with a function that writes a checkpoint into a folder.
        limits
            Of the trial.

        Raises
        ------
        FitError, InfeasibleError, TrialTimeoutError
            If the training fails.
        """
        with self._lock:
            try:
                return self._train(job, on_epoch, keep, limits)
            except (PrunedError, _Known) as error:
                if isinstance(error, _Known):
                    raise error.error from error.__cause__
                raise
            except BaseException:
                # nobody knows what it is doing
                self.close()
                raise

    def _train(
        self,
        job: Job,
        on_epoch: Callable[[Epoch], None],
        keep: Callable[[Callable[[Path], None]], None],
        limits: Limits,
    ) -> Done:
        end = None if limits.seconds is None else time.monotonic() + limits.seconds
        connection = self._ready(job, end)
        connection.send(job)
        while True:
            message = self._receive(job, end)
            if isinstance(message, Done):
                return message
            if isinstance(message, Failed):
                raise _Known(_failure(message, log_tail(job.log)))
            self._check(job.log, end)  # epochs may come faster than we look at the clock while we wait
            try:
                on_epoch(message)
            except PrunedError:
                connection.send(Stop())
                if not isinstance(self._receive(job, time.monotonic() + _STOP_SECONDS), Stopped):
                    self.close()
                raise
            keep(lambda folder: self._keep(folder, job, end))
            connection.send(Go())

    def _keep(self, folder: Path, job: Job, end: float | None) -> None:
        assert self._connection is not None
        self._connection.send(Keep(str(folder)))
        message = self._receive(job, end)
        if not isinstance(message, Kept):
            raise FitError("the training did not write its checkpoint", log=log_tail(job.log))

    def _ready(self, job: Job, end: float | None) -> Connection:
        self._trainings += 1
        if self._process is not None and (self._process.poll() is not None or self._trainings > _TRAININGS):
            self.close()
        if self._connection is None:
            self._start(job, end)
        assert self._connection is not None
        return self._connection

    def _start(self, job: Job, end: float | None) -> None:
        self._trainings = 1
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="xpot-mace-")))
        self._log = folder / "start.log"
        address = folder / "socket"
        server = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(address))
        server.listen(1)
        server.settimeout(_POLL_SECONDS)
        command = [sys.executable, "-m", "xpot_mace.training.child", str(address)]
        environment = {
            **dict.fromkeys(THREAD_VARIABLES, str(job.threads)),
            # mace's own files would be refused; the models that it is given are declared as needing trust
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
            "MPLBACKEND": "agg",
        }
        self._process = self._stack.enter_context(child_process(command, folder, self._log, environment))
        while True:
            try:
                accepted, _ = server.accept()
            except TimeoutError:
                self._check(self._log, end)
                continue
            accepted.setblocking(True)
            self._connection = Connection(accepted.detach())
            self._stack.callback(self._connection.close)
            return

    def _receive(self, job: Job, end: float | None) -> Any:
        assert self._connection is not None
        try:
            while not self._connection.poll(_POLL_SECONDS):
                self._check(job.log, end)
            return self._connection.recv()
        except (EOFError, ConnectionError):
            assert self._process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLL_SECONDS)
            self._check(job.log, end)
            raise FitError("the process of the training hung up", log=log_tail(job.log)) from None

    def _check(self, log: Path, end: float | None) -> None:
        assert self._process is not None
        status = self._process.poll()
        if status is not None:
            killed = " (killed: out of memory?)" if status == -9 else ""
            raise FitError(
                f"the process of the training ended with status {status}{killed}",
                remedy=_MEMORY if killed else "see the log tail",
                log=log_tail(log) or log_tail(self._log),
            )
        if end is not None and time.monotonic() > end:
            raise TrialTimeoutError(
                "the training took longer than the trial may",
                remedy="lower max_num_epochs or the size of the network, or raise the limit",
                log=log_tail(log),
            )

    def close(self) -> None:
        """End the process."""
        self._process = self._connection = None
        self._stack.close()
        self._stack = contextlib.ExitStack()


class _Known(Exception):
    """A failure after which the process is as good as before."""

    def __init__(self, error: FitError | InfeasibleError) -> None:
        self.error = error


def _failure(message: Failed, log: str) -> FitError | InfeasibleError:
    kind = InfeasibleError if message.kind == "memory" else FitError
    return kind(message.text, remedy=_REMEDIES[message.kind], log=log)


PROCESS = TrainingProcess()
"""The one of this process."""
atexit.register(PROCESS.close)
