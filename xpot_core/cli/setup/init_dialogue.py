"""The questions of ``xpot init``: each has an answer that Enter accepts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xpot_core.cli.common import say
from xpot_core.cli.setup.init_keys import ask

if TYPE_CHECKING:
    from xpot_core.plugins.registry import Registry
    from xpot_core.setup.proposal import DataFacts, Given

_DATA = ("*.xyz", "*.extxyz", "*.db", "*.traj")


def dialogue(given: Mapping[str, str | None], chosen: Collection[str], keys: Given) -> None:
    """Look at the data, ask, write the study file, say what to run next.

    Parameters
    ----------
    given
        Answers from the command line: ``train``, ``test``, ``fitter``, ``optimizer``, ``study``.
    chosen
        The parameters of the command that the user did give: the others are only defaults.
    keys
        Keys of the files that the user names.
    """
    from xpot_core.plugins.registry import load_registry
    from xpot_core.setup.proposal import Wishes, default_optimizer, propose_study
    from xpot_core.setup.proposal.propose import cores

    registry = load_registry()
    say("A study file for your data. Enter takes the answer in brackets, Ctrl-C ends without a file.\n")
    train, facts = _training(given["train"] if "train" in chosen else None, keys)
    for sentence in facts.sentences():
        say(f"  {sentence}")
    say()
    test = _file("Test file, never seen by the search (- for none)", given["test"] or _test_of(train))
    validation = _file("Validation file (- for cross-validation)", None)
    fitter = _one_of(registry, "fitter", given["fitter"], registry.default_fitter)
    optimizer = _one_of(
        registry,
        "optimizer",
        given["optimizer"] if "optimizer" in chosen else None,
        lambda: default_optimizer(registry),
    )

    def wishes(folder: Path, trials: int | None, workers: int | None) -> Wishes:
        study = given["study"] if "name" in chosen else None
        return Wishes((train,), validation, test, fitter, optimizer, study, trials, workers, folder)

    first = propose_study(facts, wishes(Path(), None, None), registry)
    trials = click.prompt(
        f"Trials ({first.searched} hyperparameters)", first.trials, type=click.IntRange(min=1)
    )
    workers = click.prompt("Trials at the same time", cores(), type=click.IntRange(min=1))
    output = _new_file(Path(f"{first.study}.yaml"))
    output.write_text(
        propose_study(facts, wishes(output.parent, trials, workers), registry).text, encoding="utf-8"
    )
    say(f"\nwrote {output}: look at the ranges, then\n  xpot doctor {output}\n  xpot run {output}")


def _training(given: str | None, keys: Given) -> tuple[Path, DataFacts]:
    """Ask until a file can be read."""
    from xpot_core.errors import InputError
    from xpot_core.setup.proposal import look_at

    if given is not None:
        return Path(given), look_at([Path(given)], keys, ask)
    while True:
        train = Path(click.prompt("Training file", _guess(r"train"), type=str))
        try:
            return train, look_at([train], keys, ask)
        except InputError as error:
            say(f"  {error}")


def _guess(pattern: str) -> str | None:
    """The file of structures in this folder that the pattern fits, if there is exactly one."""
    found = sorted(p for glob in _DATA for p in Path().glob(glob))
    fitting = [p for p in found if re.search(pattern, p.stem, re.IGNORECASE)]
    if len(fitting) == 1:
        return str(fitting[0])
    return str(found[0]) if len(found) == 1 else None


def _test_of(train: Path) -> str | None:
    """The file beside the training file whose name says test where that says train."""
    name = re.sub(r"(?i)train(ing)?", "test", train.name)
    other = train.with_name(name)
    return str(other) if name != train.name and other.is_file() else None


def _file(question: str, default: str | None) -> Path | None:
    """A file that exists, or none."""
    while True:
        answer = click.prompt(question, default or "-", type=str)
        if answer == "-":
            return None
        if Path(answer).is_file():
            return Path(answer)
        say(f"  there is no file {answer}")


def _one_of(registry: Registry, kind: str, given: str | None, default: Callable[[], str]) -> str:
    """One of the installed providers."""
    if given is not None:
        registry.provider(kind, given)  # type: ignore[arg-type]  # refuses a name that is not installed
        return given
    names = registry.names(kind)  # type: ignore[arg-type]
    for name in names:
        provider = registry.provider(kind, name)  # type: ignore[arg-type]
        lacking = f" (needs {', '.join(provider.missing())})" if provider.missing() else ""
        say(f"  {name:16} {provider.summary}{lacking}")
    return str(click.prompt(kind.capitalize(), default(), type=click.Choice(names), show_choices=False))


def _new_file(default: Path) -> Path:
    """Where nothing stands yet."""
    while True:
        output = Path(click.prompt("Write to", str(default), type=str))
        if not output.exists() and output.parent.is_dir():
            return output
        say(f"  {output} exists already" if output.exists() else f"  there is no folder {output.parent}")
