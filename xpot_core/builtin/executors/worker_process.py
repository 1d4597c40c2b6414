"""One worker process as its coordinator sees it: started, spoken with through pipes, ended with all it started."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpot_core.builtin.executors.gpus import VARIABLE
from xpot_core.errors import TrialError
from xpot_core.system.logs import BoundedLog, take, take_rest
from xpot_core.system.processes import FAMILY_VARIABLE, THREAD_VARIABLES, end_family, new_family
from xpot_core.types.trials import TrialTask

_END_SECONDS = 10.0
_LONGEST_ANSWER = 2**29
_spawned = itertools.count()


class WorkerProcess:
    """A process, its pipes, its log, and what it is doing.

    None of its methods waits for the process, except `end`, which does so for a bounded time.

    Parameters
    ----------
    study
        ``WorkerSpec.to_json()``.
    logs
        Folder for the log.
    device
        The GPU that it has for itself; None leaves the choice to it.

    Attributes
    ----------
    task
        The trial that it was given and whose result was not collected yet.
    at_work
        Whether it owes an answer.
    since, began
        When it was given the task, or began with it, in seconds of the monotonic clock.
    verdict
        Why it is being ended.
    ended
        Whether the process is gone and nothing more will be heard of it.
    """

    def __init__(self, study: Mapping[str, Any], logs: Path, device: str | None = None) -> None:
        self.device = device
        logs.mkdir(parents=True, exist_ok=True)
        # Executors of several processes and hosts may share the folder.
        self.log = logs / f"worker-{platform.node()}-{os.getpid()}-{next(_spawned)}.log"
        self._log = BoundedLog(self.log)
        self._family = new_family()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "xpot_core.trial.worker_process"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                **dict.fromkeys(THREAD_VARIABLES, str(study["threads"])),
                FAMILY_VARIABLE: self._family,
                **({} if device is None else {VARIABLE: device}),
            },
            start_new_session=True,  # Ctrl-C reaches the coordinator alone, which decides
        )
        streams = (self.process.stdin, self.process.stdout, self.process.stderr)
        self.tasks, self.answers, self.output = (s.fileno() for s in streams if s is not None)
        for pipe in (self.tasks, self.answers, self.output):
            os.set_blocking(pipe, False)
        self._unsent = bytearray()
        self._unread = bytearray()
        self.task: TrialTask | None = None
        self.at_work = self.began = self.has_run = self.ended = False
        self.since = 0.0
        self.silent_since: float | None = None
        self.verdict: TrialError | None = None
        self.tell(study)

    def give(self, task: TrialTask) -> None:
        """Hand over a trial."""
        self.task, self.since, self.began, self.at_work = task, time.monotonic(), False, True
        self.tell(task.to_json())

    def tell(self, message: Any) -> None:
        """Queue a message; `send` sends it."""
        self._unsent += (json.dumps(message) + "\n").encode()

    def send(self) -> bool:
        """Send what the pipe takes now; whether something is left."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self.tasks, self._unsent[: 2**16])]
        except BlockingIOError:
            return True
        except OSError:  # a dead worker; its end is seen elsewhere
            self._unsent.clear()
        return False

    def hear(self, *, last: bool = False) -> list[dict[str, Any]] | None:
        """What came, results and progress; None if no more can come. With `last` what a process that has ended left."""
        data = take_rest(self.answers) if last else take(self.answers)
        if data is None:
            return None
        self._unread += data
        if len(self._unread) > _LONGEST_ANSWER:
            return None
        if b"\n" not in data:
            return []
        *lines, rest = bytes(self._unread).split(b"\n")
        self._unread = bytearray(rest)
        return [message for line in lines if (message := self._understood(line)) is not None]

    def _understood(self, line: bytes) -> dict[str, Any] | None:
        """A result or progress; the beginning of a trial is noted, and what is neither, or too late, is passed over."""
        try:
            message = json.loads(line)
        except ValueError:
            return None
        if not isinstance(message, dict) or not self.at_work or self.verdict is not None:
            return None
        if "began" in message:
            self.began, self.since = True, time.monotonic()
            return None
        if "progress" in message:
            return message
        self.at_work, self.has_run = False, True
        return message

    def keep_output(self, *, last: bool = False) -> bool:
        """Write to the log what was printed; whether more may come."""
        data = take_rest(self.output) if last else take(self.output)
        if data is not None:
            self._log.write(data)
        return data is not None

    def kill(self) -> None:
        """Kill the process with all that it started."""
        alive = self.process.returncode is None
        end_family(self.process.pid, self._family, alive=alive)

    def end(self, seconds: float = _END_SECONDS) -> None:
        """End it for good: the process, what it started and left behind, the pipes and the log."""
        if self.ended:
            return
        self.ended = True
        self.kill()
        with contextlib.suppress(
            subprocess.TimeoutExpired
        ):  # it may hang in a file system that does not answer
            self.process.wait(seconds)
        self.keep_output(last=True)

    def close(self) -> None:
        """Let go of the pipes and the log; nothing may be asked of it afterwards."""
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._log.close()

    def ending(self) -> str:
        """How the process ended, in words."""
        code = self.process.returncode
        if code is None:
            return "it does not end"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"signal {signal.Signals(-code).name}"
        return f"exit status {code}"
