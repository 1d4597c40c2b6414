"""How often a study reads its data and prepares designs, and with how many threads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from study_cases import Make, run, toy

_COUNTER = """
import json, os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pluggy

from xpot_core.api import hookimpl
from xpot_core.data import dataset

LOG = Path(__file__).with_suffix(".jsonl")


def note(**facts: Any) -> None:
    with LOG.open("a") as stream:
        stream.write(json.dumps({"process": os.getpid(), **facts}) + "\\n")


read_frames = dataset.read_frames


def counted(path, *arguments, **options):
    note(read=Path(path).name)
    return read_frames(path, *arguments, **options)


dataset.read_frames = counted


@hookimpl(wrapper=True)
def xpot_prepare(fitter: Any, request: Any) -> Iterator[None]:
    note(threads=request.threads, cutoff=request.options.cutoff)
    return (yield)
"""


@pytest.fixture
def counter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin file that writes down what is read and prepared, in whatever process."""
    from xpot_core.data import dataset

    monkeypatch.setattr(dataset, "read_frames", dataset.read_frames)  # the plugin changes it, also here
    path = folder / "counter.py"
    path.write_text(_COUNTER)
    return path


def search(executor: dict[str, object], counter: Path) -> dict[str, object]:
    return {
        **toy(cutoff={"choices": [4.5, 5.5]}),
        "optimizer": "random",
        "executor": executor,
        "budget": {"trials": 2},
        "plugins": [str(counter)],
    }


def noted(counter: Path) -> tuple[list[dict], list[dict]]:
    rows = [json.loads(line) for line in counter.with_suffix(".jsonl").read_text().splitlines()]
    return [r for r in rows if "read" in r], [r for r in rows if "threads" in r]


def test_a_serial_study_reads_its_data_once_and_refits_on_the_design_that_is_there(
    study: Make, counter: Path
) -> None:
    _, results = run(study(search({"serial": {"threads": 2}}, counter)))
    reads, prepared = noted(counter)
    assert results.final is not None
    assert len(reads) == len({r["read"] for r in reads}), "each file once"
    assert [row["threads"] for row in prepared] == [2, 2]
    assert {row["cutoff"] for row in prepared} == {4.5, 5.5}


def test_a_local_study_refits_with_the_threads_of_its_trials(study: Make, counter: Path) -> None:
    _, results = run(study(search({"local": {"workers": 1, "threads": 2}}, counter)))
    reads, prepared = noted(counter)
    assert results.final is not None
    processes = {r["process"] for r in reads}
    assert len(processes) == 2, "the study's process and one worker"
    assert len(reads) == len({(r["process"], r["read"]) for r in reads}), "each file once in each process"
    assert [row["threads"] for row in prepared] == [2, 2, 2, 2], "two trials, the winner and the runner-up"
