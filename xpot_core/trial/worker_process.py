"""A worker process: JSON lines in, JSON lines out, one trial at a time.

Started as ``python -m xpot_core.trial.worker_process``. The first line is a `WorkerSpec`, each further one a
`TrialTask`; it is answered by ``{"began": number}`` when the work begins, by ``{"progress": text}`` while a long
fit lasts, and by a `TrialResult` when it ends.
Data and designs stay warm between trials. The pipes are the worker's own: whatever a fitting program
prints goes to stderr, what it reads from stdin is empty, and what it starts or forks holds neither pipe.
"""

from __future__ import annotations

import json
import os
import platform
import select
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from xpot_core.system.processes import FAMILY_VARIABLE, end_family
from xpot_core.trial.failure import failed_result
from xpot_core.trial.one_trial import run_trial
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.trials import TrialTask, WorkerSpec

_PARENT_SECONDS = 1.0


def main() -> None:
    """Serve until the coordinator closes the pipe or dies."""
    me = os.getpid()
    tasks, answers = _private_pipes()
    lines: SimpleQueue[bytes] = SimpleQueue()
    # A thread reads the pipe, so that the worker notices in the middle of a fit that its
    # coordinator is gone and does not go on computing for nobody.
    threading.Thread(target=_read, args=(tasks, os.getppid(), lines), daemon=True).start()
    spec = WorkerSpec(**json.loads(lines.get()))
    runner: TrialRunner | None = None
    worker = f"{platform.node()}:{me}"
    while True:
        task = TrialTask.from_json(json.loads(lines.get()))
        try:
            if runner is None:
                runner = TrialRunner.from_spec(spec)
                runner.progress = lambda text: _answer(answers, {"progress": text})
            _answer(answers, {"began": task.number})  # imports and reading data are not the trial's time
            result = run_trial(runner, task)
        except BaseException as error:  # setting up failed, or the fit raised what no fit may: a failed trial
            result = failed_result(task.number, error, "setup", "core", Path(task.directory))
        if os.getpid() != me:
            os._exit(1)  # a fork of the fit came back from it: there is one worker, and it is not this one
        _answer(answers, {**result.to_json(), "worker": worker})


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _private_pipes() -> tuple[int, TextIO]:
    """Where tasks come from and answers go; stdin becomes empty, and everything printed goes to stderr."""
    tasks, answers = os.dup(0), os.dup(1)  # closed in every program that is started from here
    null = os.open(os.devnull, os.O_RDWR)

    def let_go() -> None:
        for pipe in (tasks, answers):
            os.dup2(null, pipe, inheritable=False)

    os.register_at_fork(after_in_child=let_go)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # the last words before a crash
    return tasks, os.fdopen(answers, "w", encoding="utf-8")


def _read(pipe: int, coordinator: int, lines: SimpleQueue[bytes]) -> None:
    """Hand over the lines of the coordinator, and end with it."""
    unfinished = b""
    # Whoever forks the coordinator holds its end of the pipe as well, so its death is looked for too.
    while os.getppid() == coordinator:
        if select.select([pipe], [], [], _PARENT_SECONDS)[0]:
            data = os.read(pipe, 2**16)
            if not data:
                break
            *complete, unfinished = (unfinished + data).split(b"\n")
            for line in complete:
                lines.put(line)
    # The coordinator closed the pipe or was killed; programs of the fit go with it.
    end_family(os.getpid(), os.environ[FAMILY_VARIABLE])


if __name__ == "__main__":
    main()
