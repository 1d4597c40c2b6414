"""``xpot completion``: what a shell needs to complete commands."""

from __future__ import annotations

import click

from xpot_core.cli.common import example
from xpot_core.cli.complete import SHELLS, VARIABLE


@click.command(epilog=example('eval "$(xpot completion bash)"', "xpot completion fish | source"))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes a SHELL complete commands, studies, providers and keys of --set.

    Put the line of the example into the start file of the shell (~/.bashrc, ~/.zshrc, config.fish).
    """
    from click.shell_completion import get_completion_class

    from xpot_core.cli.group import cli

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "xpot", VARIABLE).source())
