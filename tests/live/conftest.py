"""A folder of studies and a server that shows it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest
from live_cases import TOKEN, Served
from made_up_studies import StudyMaker

from xpot_core.deliver.data_curve import DataCurve, DataCurvePoint, keep_curve
from xpot_core.search.winner.refit_best import INFLUENCE_FILE
from xpot_core.types.left_out import Influence

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A finished study with failures, one that has not ended, and one that is damaged."""
    from xpot_core.live.app import application
    from xpot_core.live.library import Library

    runs = tmp_path_factory.mktemp("live") / "runs"
    make = StudyMaker(runs)
    made = make("made-up", trials=40, fail_every=7, curves=True)
    make("other", trials=15, seed=5, noise=0.03)
    make("open", trials=20, running=2, finish=False)
    (runs / "broken").mkdir()
    (runs / "broken" / "study.sqlite").write_text("no database")
    points = [DataCurvePoint(n, (9 / n, 10 / n), (1 / n, 1.2 / n)) for n in (6.0, 12.0, 24.0)]
    keep_curve(DataCurve(3, "test set", tuple(points)), made.directory)
    decisive = Influence("train.xyz#1", "bulk", 4, 2.0, 0.001, 0.002, 0.3, 0.4)
    text = json.dumps({"structures": [decisive.to_json()]})
    (made.directory / "best" / INFLUENCE_FILE).write_text(text)
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
