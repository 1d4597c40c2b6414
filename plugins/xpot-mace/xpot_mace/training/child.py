"""The program that trains: it takes jobs from a socket until nobody is at its other end."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
import sys
import traceback
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from xpot_mace.training.messages import Failed, Job, Stopped


def main() -> None:
    """Serve the socket whose path is the only argument."""
    warnings.simplefilter("ignore")
    server = socket.socket(socket.AF_UNIX)
    server.connect(sys.argv[1])
    connection = Connection(server.detach())
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        with _in_folder(job), _output_to(job.log):
            _serve(job, connection)


def _serve(job: Job, connection: Connection) -> None:
    try:
        # here, so that a torch that cannot be loaded is a failed training
        from xpot_mace.training.run import Stopping, run
    except Exception as error:
        traceback.print_exc()
        connection.send(Failed("other", f"mace cannot be loaded: {error}"))
        return
    try:
        done = run(job, connection)
    except Stopping:
        connection.send(Stopped())
    except (EOFError, BrokenPipeError):
        raise SystemExit from None
    except BaseException as error:
        # mace ends by sys.exit and by assertions where it does not like its arguments
        traceback.print_exc()
        connection.send(_failed(error))
    else:
        connection.send(done)
    gc.collect()


def _failed(error: BaseException) -> Failed:
    from xpot_mace.training.run import MissingGpuError, NotFiniteError

    text = str(error) or type(error).__name__
    lines = text.strip().splitlines()
    if isinstance(error, NotFiniteError):
        return Failed("nan", text)
    if isinstance(error, MissingGpuError):
        return Failed("gpu", text)
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "allocate memory" in text.lower():
        return Failed("memory", f"the training ran out of memory: {lines[0]}")
    return Failed("other", f"mace failed: {type(error).__name__}: {lines[-1]}")


@contextlib.contextmanager
def _in_folder(job: Job) -> Iterator[None]:
    with contextlib.chdir(job.folder):
        yield


@contextlib.contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Let everything that is printed, by C++ too, go to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        yield
    finally:
        for handler in logging.getLogger().handlers[:]:
            logging.getLogger().removeHandler(handler)
            handler.close()
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in enumerate(before, start=1):
            os.dup2(kept, number)
            os.close(kept)


if __name__ == "__main__":
    main()
