"""The command ``xpot`` itself: which commands there are, each loaded when it is called."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import click

from xpot_core import __version__
from xpot_core.cli.common import example

COMMANDS = {
    "init": "print a commented study file",
    "run": "run or resume a study",
    "fit": "one fit at the fixed values",
    "ls": "studies of a folder: state, trials, errors, size",
    "show": "tables of a study",
    "best": "hyperparameters of the winner",
    "compare": "studies side by side",
    "learning-curve": "would more data help? errors against the size of the training set",
    "retry": "put failed trials back, for the next run",
    "report": "one HTML file with figures",
    "serve": "a live page in the browser",
    "dashboard": "a study in the dashboard of another program",
    "validate": "physical tests of a fitted potential",
    "export": "write a potential, or a committee, to a folder",
    "select": "frames on which good models disagree",
    "doctor": "check data and installation before a run",
    "mv": "rename a study",
    "rm": "remove studies",
    "plugins": "what is installed, and in which state; check a plugin, start a new one",
    "cache": "descriptors and matrices kept on disk: show or clear",
    "schema": "JSON Schema of the study file",
    "completion": "completion of commands in a shell",
}
_ROOMS = {
    "setup": ("init", "doctor", "schema"),
    "search": ("run", "fit", "retry"),
    "report": ("show", "compare", "report", "learning-curve", "serve", "dashboard"),
    "studies": ("ls", "best", "mv", "rm"),
    "deliver": ("validate", "export", "select"),
    "installation": ("plugins", "cache", "completion"),
}
"""The folder that holds the file of a command."""


class _LazyGroup(click.Group):
    """Imports a command's file when it is called: ``xpot --help`` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        room = next(room for room, names in _ROOMS.items() if cmd_name in names)
        python_name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"xpot_core.cli.{room}.{python_name}")
        command: click.Command = getattr(module, python_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from xpot_core.errors import nearest

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"no such command '{args[0]}'; {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("xpot init", "xpot run study.yaml", "xpot ls", "xpot show my-study"),
)
@click.version_option(__version__, prog_name="xpot")
@click.option("--debug", is_flag=True, help="Show Python tracebacks and debug messages.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Find the hyperparameters that make a machine-learned interatomic potential good."""
    ctx.obj = {"debug": debug}
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(message)s")
