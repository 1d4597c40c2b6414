"""Inputs that would make xpot hang are refused with a message, in seconds."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core.errors import InputError, file_error
from xpot_core.options import bounds
from xpot_core.study_file.read import parse_yaml, study_from_dict
from xpot_core.study_file.trust import risks_of

TEN = range(10)
BOMBS = {
    "lists": "a0: &a0 [x]\n"
    + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)),
    "maps": "a0: &a0 {k: x}\n"
    + "".join(f"a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in TEN)}}}\n" for i in range(1, 10)),
    "merges": "a0: &a0 {k: 1}\n"
    + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 10)),
    "keys": "".join(f"? &a{i} [{','.join([f'*a{i - 1}'] * 10) if i else 'x'}]\n: 1\n" for i in TEN),
    "own list": "a: &a [*a]\n",
    "own map": "a: &a {b: *a}\n",
    "own merge and more": "a: &a {<<: *a, b: [*a, *a]}\nc: [*a, 1",
    "deep lists": "a: " + "[" * 100_000,
    "deep maps": "a: " + "{a: " * 20_000,
    "closed deep lists": "a: " + "[" * 100 + "]" * 100,
    "long": "a: [" + "1," * 250_000 + "]",
    "digits": "a: " + "9" * 400,
    "many digits": "a: " + "9" * 100_000,
    "hexadecimal": "a: 0x" + "f" * 100_000,
    "sexagesimal": "a: " + ":".join(["59"] * 20_000),
    "binary": "a: 0b" + "1" * 100_000,
    "nul": 'a: "x\\0y"',
    "half a character": 'a: "\\ud800"',
    "half a character in a key": '"\\udfff": 1',
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_yaml_that_grows_is_refused(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(InputError):
        parse_yaml(text)
    assert time.process_time() - begin < 5


def test_aliases_of_people_work() -> None:
    text = "a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n"
    assert parse_yaml(text) == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}]}
    assert parse_yaml("a: 9223372036854775807") == {"a": 2**63 - 1}
    assert parse_yaml("a: 1.0e+30") == {"a": 1e30}
    assert parse_yaml("") is None


@pytest.mark.parametrize("option", ["--set", "--with"])
def test_options_of_the_command_line_have_the_same_bounds(
    study: Callable[..., Path], call: Any, option: str
) -> None:
    for text in ("a=" + "[" * 3000, "seed=" + "9" * 400, "study='\\ud800'"):
        command = ["run", study(), "--set", text] if option == "--set" else ["validate", "x", "--with", text]
        assert call(*command).status == 2


HUGE = {
    "trials": {"budget": {"trials": 10**12}},
    "workers": {"executor": {"local": {"workers": 10**9}}},
    "threads": {"executor": {"serial": {"threads": 10**9}}},
    "kfold": {"data": {"train": "train.xyz", "validation": {"kfold": 10**9}}},
    "matrix": {"matrix": {f"loss.energy-force.group_weights.g{i}": list(range(10)) for i in range(9)}},
    "hyperparameters": {"fitter": {"numpy-pair": {"widths": [{"min": 0.1, "max": 1.0}] * 3000}}},
    "for a model": {
        "fitter": {"numpy-pair": {"widths": [{"min": 0.1, "max": 1.0}] * 900}},
        "optimizer": "skopt-gp",
    },
}


@pytest.mark.parametrize("change", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_huge_counts_are_refused(
    study: Callable[..., Path], call: Any, change: dict[str, Any], command: str
) -> None:
    if change.get("optimizer"):
        pytest.importorskip("skopt")
    outcome = call(command, study(change))
    assert outcome.status == 2
    assert "fault of" not in outcome.err


@pytest.mark.parametrize("option", ["--trials", "--workers", "--repeat"])
def test_huge_counts_of_the_command_line(study: Callable[..., Path], call: Any, option: str) -> None:
    for count in (10**9, 10**400):
        assert call("run", study(), option, count).status == 2
    assert call("run", study({"matrix": {"seed": list(range(900))}}), "--repeat", 900).status == 2


def test_large_matrix_is_looked_through_in_seconds(raw: dict[str, Any], tmp_path: Path) -> None:
    file = study_from_dict({**raw, "matrix": {"fitter": [raw["fitter"]] * bounds.MEMBERS}}, tmp_path)
    begin = time.process_time()
    assert risks_of(file) == []
    assert time.process_time() - begin < 5


def test_devices_and_homes_of_nobody(study: Callable[..., Path], call: Any) -> None:
    assert call("run", "/dev/zero").status == 2
    for change in (
        {"data": {"train": "~nosuchuser/x.xyz"}},
        {"plugins": ["~nosuchuser/x.py"]},
    ):
        outcome = call("run", study(change))
        assert outcome.status == 2, outcome.err
        assert "fault of" not in outcome.err


@pytest.mark.parametrize("nothing", [0, -0.0, False, "", []])
@pytest.mark.parametrize("kind", ["loss", "optimizer", "executor", "fitter"])
def test_options_that_are_no_mapping(study: Callable[..., Path], call: Any, kind: str, nothing: Any) -> None:
    name = {"loss": "energy-force", "optimizer": "sobol", "executor": "serial", "fitter": "numpy-pair"}[kind]
    outcome = call("run", study({kind: {name: nothing}}))
    assert outcome.status == 2
    assert f"{kind}.{name}" in outcome.err


def test_a_full_disk_names_the_file_that_does_not_fit() -> None:
    """A copy or move that fails has two names; the source is not the one that is full."""
    error = OSError(errno.ENOSPC, "No space left on device", "source", None, "target")
    assert str(file_error(error)).startswith("target: no space left")
