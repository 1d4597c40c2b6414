"""A worker process: JSON lines in, JSON lines out, one trial at a time.

Started as ``python -m xpot_core.worker``. The first line is a `WorkerSpec`, each further one a
`TrialTask`; it is answered by ``{"began": number}`` when the work begins and by a `TrialResult` when it
ends. Data and designs stay warm between trials. Whatever a fitting program prints goes to stderr, so it
cannot disturb the answers.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from xpot_core.outcome import failed_result
from xpot_core.pipeline import TrialRunner
from xpot_core.processes import kill_tree
from xpot_core.trials import TrialTask, WorkerSpec


def main() -> None:
    """Serve until the coordinator closes the pipe or dies."""
    answers = _private_stdout()
    lines: SimpleQueue[str] = SimpleQueue()
    # A thread reads the pipe, so that the worker notices in the middle of a fit that its
    # coordinator is gone and does not go on computing for nobody.
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    spec = WorkerSpec(**json.loads(lines.get()))
    runner: TrialRunner | None = None
    worker = f"{os.uname().nodename}:{os.getpid()}"
    while True:
        task = TrialTask(**json.loads(lines.get()))
        try:
            runner = runner or TrialRunner.from_spec(spec)
            _answer(answers, {"began": task.number})  # imports and reading data are not the trial's time
            result = runner.run(task)
        except Exception as error:  # setting up failed: the same answer as for a failed trial
            result = failed_result(task.number, error, "setup", "core", Path(task.directory))
        _answer(answers, {**result.to_json(), "worker": worker})


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _private_stdout() -> TextIO:
    """Keep the real stdout for answers and send everything printed to stderr."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "w", encoding="utf-8")


def _read(lines: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    # End of file: the coordinator closed the pipe or was killed; programs of the fit go with it.
    kill_tree(os.getpid())


if __name__ == "__main__":
    main()
