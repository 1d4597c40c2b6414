"""A process that does tasks until its pipe closes: ``python -m xpot_linear.processes.worker FD``."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from typing import Any

from xpot_linear.processes.work import Work


def serve(pipe: Connection) -> None:
    """Answer messages: ``("work", ...)`` sets the work, ``("task", task)`` is answered by its result."""
    work: Work[Any, Any] | None = None
    while True:
        try:
            kind, content = pipe.recv()
        except EOFError:
            return
        if kind == "work":
            if work is not None:
                work.close()
            work = content
            continue
        try:
            assert work is not None
            pipe.send(("done", work.do(content)))
        except Exception as error:
            # errors of a plugin survive pickling by their text alone
            pipe.send(("failed", (type(error).__name__, str(error))))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
