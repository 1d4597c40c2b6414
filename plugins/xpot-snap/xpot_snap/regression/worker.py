"""A process that reduces tasks until its pipe closes: ``python -m xpot_snap.regression.worker FD``."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from typing import Any

from xpot_snap.descriptors.engine import DescriptorEngine
from xpot_snap.regression.reduce import reduce_task


def serve(pipe: Connection) -> None:
    """Answer messages: ``("job", ...)`` sets the job, ``("task", task)`` is answered by its result."""
    engine: DescriptorEngine | None = None
    job: Any = None
    while True:
        try:
            kind, content = pipe.recv()
        except EOFError:
            return
        if kind == "job":
            if engine is not None:
                engine.close()
            job, engine = content, None
            continue
        try:
            if engine is None:
                engine = DescriptorEngine(job.settings)
            result = reduce_task(engine, job.structures, job.weights, content, job.keep_rows, job.reduce)
            pipe.send(("done", result))
        except Exception as error:
            # errors of the plugin survive pickling by their text alone
            pipe.send(("failed", (type(error).__name__, str(error))))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
