"""``xpot validate``: physical tests of any trial."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import SEARCH_PLUGIN, Make, run, toy

from xpot_core.results.read import StudyResults


def test_validate_tests_any_trial(study: Make, folder: Path, call: Callable[..., Any]) -> None:
    _, results = run(study({"plugins": [SEARCH_PLUGIN], **toy(cutoff={"min": 4.0, "max": 6.5})}))
    number = next(t.number for t in results.trials if t.values["cutoff"] > 5.0)
    done = call("validate", "argon", "--trial", number, "--with", "short-enough", "--json")
    assert done.status == 1
    (row,) = json.loads(done.out)
    assert (row["validator"], row["passed"]) == ("short-enough", False)
    assert (folder / f"runs/argon/tests/{number:06d}/validator-0-short-enough/seen").is_file()
    shown = call("show", "argon", "--trial", number).out
    assert "short-enough" in shown
    assert "FAILED" in shown
    done = call("validate", "argon", "--with", "short-enough: {longest: 9}", "--with", "broken-test")
    assert done.status == 1
    assert "did not run" in done.out
    after = StudyResults.open(folder / "runs/argon")
    assert after.final is not None
    assert [(r["validator"], r["passed"]) for r in after.final["validators"]] == [
        ("broken-test", None),
        ("short-enough", True),
    ]
    assert call("validate", "argon", "--with", "short-enough: {longest: 9}").status == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--with", "short-enuf"], "did you mean 'short-enough'"),
        (["--with", "short-enough: {longest: -1}"], "short-enough.longest"),
        (["--with", "short-enough: 3"], "must be name"),
        (["--with", "short-enough: {"], "--with = 'short-enough: {': is not valid YAML"),
        (["--with", "short-enough", "--trial", "77"], "no such trial"),
    ],
)
def test_wrong_validate_calls(
    study: Make, folder: Path, call: Callable[..., Any], options: list[str], message: str
) -> None:
    run(study({"plugins": [SEARCH_PLUGIN], "budget": {"trials": 1}}))
    done = call("validate", "argon", *options)
    assert done.status == 2
    assert message in done.err
