"""The command line: one file a command, loaded only when it is used."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

import click

from xpot_core import __version__

COMMANDS = {
    "init": "print a commented study file",
    "run": "run or resume a study",
    "fit": "one fit at the fixed values",
    "show": "tables of a study",
    "compare": "studies side by side",
    "retry": "put failed trials back, for the next run",
    "report": "one HTML file with figures",
    "validate": "physical tests of a fitted potential",
    "export": "hand over a potential, or a committee of them",
    "select": "frames on which good models disagree",
    "doctor": "check data and installation before hours are spent",
    "plugins": "what is installed, and in which state; check a plugin, start a new one",
    "cache": "descriptors and matrices kept on disk: show or clear",
    "schema": "JSON Schema of the study file",
}


class _LazyGroup(click.Group):
    """Imports a command's file when it is called: ``xpot --help`` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"xpot_core.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from xpot_core.errors import nearest

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"no such command '{args[0]}'; {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xpot")
@click.option("--debug", is_flag=True, help="Show Python tracebacks and debug messages.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Find the hyperparameters that make a machine-learned interatomic potential good."""
    ctx.obj = {"debug": debug}
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(message)s")


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the script ``xpot``: 0 done, 1 the work failed, 2 the input is wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    # The switch may stand anywhere: it is most often added to the end of a line that went wrong.
    debug = "--debug" in given
    rest = [a for a in given if a != "--debug"]
    sys.exit(_run(["--debug", *rest] if debug else rest, debug))


def _run(arguments: list[str], debug: bool) -> int:
    from xpot_core.cli.common import say
    from xpot_core.errors import XpotError, file_error

    try:
        status = cli.main(args=arguments, prog_name="xpot", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        say("interrupted", err=True)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe (head, less) has what it wanted
        return 0
    except Exception as error:
        if debug:
            raise
        known = file_error(error) if isinstance(error, OSError) else error
        if isinstance(known, XpotError):
            say(f"error: {known}", err=True)
            return known.exit_status
        say(
            f"error: unexpected {type(error).__name__}: {error}\n"
            "  remedy: this is a fault of xpot or of a plugin; run again with --debug and report it",
            err=True,
        )
        return 1
