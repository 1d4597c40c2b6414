"""A folder of studies and a server that shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from live_cases import TOKEN, Served
from made_up_studies import StudyMaker

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A finished study with failures, one that has not ended, and one that is damaged."""
    from xpot_core.live.app import application
    from xpot_core.live.library import Library

    runs = tmp_path_factory.mktemp("live") / "runs"
    make = StudyMaker(runs)
    make("made-up", trials=40, fail_every=7)
    make("other", trials=15, seed=5, noise=0.03)
    make("open", trials=20, running=2, finish=False)
    (runs / "broken").mkdir()
    (runs / "broken" / "study.sqlite").write_text("no database")
    library = Library(runs)
    server = uvicorn.Server(uvicorn.Config(application(library, TOKEN), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    library.read_all()
    yield Served(runs, server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(10)
