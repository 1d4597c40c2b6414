"""Commands, their help, the pages and what a shell completes agree."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from xpot_core.cli.complete import SHELLS, VARIABLE, study_keys
from xpot_core.cli.group import COMMANDS, cli
from xpot_core.plugins.registry import load_registry
from xpot_core.study_file.read import read_study, set_key

ROOT = Path(__file__).parents[2]


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for part in command.list_commands(context):
            found = command.get_command(context, part)
            assert found is not None
            yield from _walk(f"{name} {part}", found)


EVERY = dict(_walk("xpot", cli))


@pytest.mark.parametrize("name", EVERY)
def test_help_has_an_example_that_parses(name: str, call: Callable[..., Any]) -> None:
    text = call(*name.split()[1:], "--help").out
    lines = text.partition("Example:\n")[2].split("\n")
    examples = [line.strip() for line in lines if line.strip()]
    assert examples
    assert any(line.startswith(name) or f"({name}" in line for line in examples)
    for line in examples:
        command = re.split(r"[|>]", line.replace('eval "$(', "").replace(')"', ""))[0]
        _, *words = shlex.split(command)
        if words:
            _parses(words)


def _parses(words: list[str]) -> None:
    command: click.Command = cli
    while (
        isinstance(command, click.Group)
        and words
        and words[0] in command.list_commands(click.Context(command))
    ):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None
        command, words = found, words[1:]
    if words:
        command.make_context(command.name, list(words), resilient_parsing=False)


def _complete(xpot: Callable[..., Any], line: str, **where: Any) -> list[str]:
    """What bash is offered at the end of a line."""
    words = line.split(" ")
    outcome = xpot(**where, COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), **{VARIABLE: "bash_complete"})
    assert outcome.status == 0, outcome.err
    return [one.partition(",")[2] for one in outcome.out.splitlines() if one]


def test_commands_are_those_of_the_completion_and_of_the_pages(xpot: Callable[..., Any]) -> None:
    assert _complete(xpot, "xpot ") == list(COMMANDS)
    sys.path.insert(0, str(ROOT / "docs" / "_ext"))
    import xpot_reference  # type: ignore[import-not-found]

    page = xpot_reference.commands_page()
    for name, command in EVERY.items():
        if name == "xpot":
            continue
        section = page.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
        assert section, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in section, (name, parameter.opts)
        example = (command.epilog or "").partition("Example:\n")[2].strip().splitlines()[0].strip()
        assert example in section


@pytest.mark.slow
def test_a_shell_completes_studies_providers_and_keys(
    done: Path, xpot: Callable[..., Any], folder: Path
) -> None:
    assert _complete(xpot, "xpot show a") == ["argon"]
    assert _complete(xpot, "xpot export --to x a") == ["argon"]
    fitters = [n for n in load_registry().names("fitter") if n.startswith("n")]
    assert _complete(xpot, "xpot init --fitter n") == sorted(fitters)
    keys = _complete(xpot, "xpot run study.yaml --set fitter.numpy-pair.cut")
    assert keys == ["fitter.numpy-pair.cutoff="]
    assert _complete(xpot, "xpot run study.yaml --set budget.tr") == ["budget.trials="]
    assert not _complete(xpot, "xpot run study.yaml --set fitter.snap.")  # the study names another fitter


def test_completed_keys_are_keys_of_a_study_file(done: Path) -> None:
    raw = dict(read_study(done).raw)
    for key in study_keys(raw):
        set_key(dict(raw), key, None)  # refuses what leads nowhere
    names = {key.partition(".")[0] for key in study_keys(raw)}
    assert {"study", "data", "fitter", "budget", "seed"} <= names


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_for_a_shell_asks_xpot(shell: str, call: Callable[..., Any]) -> None:
    text = call("completion", shell).out
    assert VARIABLE in text
    assert f"{shell}_complete" in text
