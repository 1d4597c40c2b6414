"""Keys of the reference values for ``xpot init``: its options, and the one question where names do not tell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xpot_core.cli.common import say

if TYPE_CHECKING:
    from xpot_core.setup.proposal import Guess

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = {
    "energy": ("--energy-key", "Key of the energies in the files"),
    "forces": ("--force-key", "Key of the forces"),
    "virial": ("--virial-key", "Key of the virials"),
    "stress": ("--stress-key", "Key of the stresses"),
    "group": ("--group-key", "Info key that names the group of a frame"),
}


def key_options(function: F) -> F:
    """``--energy-key`` and so on."""
    for name, (option, meaning) in reversed(_OPTIONS.items()):
        end = ", where its name does not tell; none for none." if name == "energy" else "; none for none."
        function = click.option(option, f"{name}_key", metavar="KEY", help=meaning + end)(function)
    return function


def given_keys(named: dict[str, str | None]) -> dict[str, str | None]:
    """What was given, by quantity."""
    return {name: named[f"{name}_key"] for name in _OPTIONS if named.get(f"{name}_key") is not None}


def ask_on_terminal(guess: Guess) -> bool:
    """Show what the files hold and ask whether the guess is right; no where there is nobody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty() and ask(guess)


def ask(guess: Guess) -> bool:
    """Show what the files hold and ask whether the guess is right."""
    say("The names of the keys do not tell what they are. The files hold", err=True)
    for line in guess.held:
        say(f"  {line}", err=True)
    return click.confirm(f"Best guess: {guess.text()}. Is that right?", default=True, err=True)
