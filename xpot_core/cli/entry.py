"""Runs a command and turns whatever comes of it into words and an exit status."""

from __future__ import annotations

import os
import sys

import click

from xpot_core.cli.common import say
from xpot_core.cli.complete import VARIABLE
from xpot_core.cli.group import cli
from xpot_core.errors import XpotError, file_error
from xpot_core.system import interrupts


def run(arguments: list[str]) -> int:
    """Run a command; the exit status."""
    if VARIABLE in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "xpot", VARIABLE, os.environ[VARIABLE])
    # The switch may stand anywhere: it is most often added to the end of a line that went wrong.
    debug = "--debug" in arguments
    rest = [a for a in arguments if a != "--debug"]
    try:
        status = cli.main(args=["--debug", *rest] if debug else rest, prog_name="xpot", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe (head, less) has what it wanted
        return 0
    except BaseException as error:
        if isinstance(error.__context__, BrokenPipeError):  # of which rich makes a sys.exit
            return 0
        return _report_error(error, debug)


def _report_error(error: BaseException, debug: bool) -> int:
    # A library that is interrupted while it is imported may raise something else instead.
    if interrupts.came() or isinstance(error, click.Abort | KeyboardInterrupt | interrupts.Interrupt):
        say("interrupted", err=True)
        return 1
    if debug:
        raise error
    known = file_error(error) if isinstance(error, OSError) else error
    if isinstance(known, XpotError):
        say(f"error: {known}", err=True)
        return known.exit_status
    if isinstance(error, SystemExit | interrupts.ProcessExit):
        what = (
            f"something called {'sys.exit' if isinstance(error, SystemExit) else 'os._exit'}({error.code!r})"
        )
    else:
        what = f"unexpected {type(error).__name__}: {error}"
    say(
        f"error: {what}\n"
        "  remedy: this is a fault of xpot or of a plugin; run again with --debug and report it",
        err=True,
    )
    return 1
