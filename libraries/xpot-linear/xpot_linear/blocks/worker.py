"""A process that reduces tasks until its pipe closes: ``python -m xpot_linear.blocks.worker FD``."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from xpot_linear.blocks.reduce import Job, reduce_task


def serve(pipe: Connection) -> None:
    """Answer messages: ``("job", ...)`` sets the job, ``("task", task)`` is answered by its result."""
    job: Job | None = None
    while True:
        try:
            kind, content = pipe.recv()
        except EOFError:
            return
        if kind == "job":
            if job is not None:
                job.problem.basis.close()
            job = content
            continue
        try:
            assert job is not None
            pipe.send(("done", reduce_task(job, content)))
        except Exception as error:
            # errors of a plugin survive pickling by their text alone
            pipe.send(("failed", (type(error).__name__, str(error))))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
