"""Options and helpers that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from xpot_core.search.loop import Study
    from xpot_core.study_file.read import StudyFile

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def example(*lines: str) -> str:
    """The end of a command's help: how it is typed."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def complete_studies(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Studies and files, for the shell."""
    from xpot_core.cli.complete import studies

    return studies(ctx, param, incomplete)


def study_file_argument(function: F) -> F:
    """Positional study file."""
    return click.argument("study_file", type=PATH, metavar="STUDY.YAML")(function)


def study_argument(function: F) -> F:
    """Positional study: file, run folder or name."""
    return click.argument("study", type=str, metavar="STUDY", shell_complete=complete_studies)(function)


def runs_option(function: F) -> F:
    """``--runs DIR``."""
    return click.option(
        "--runs",
        type=PATH,
        default=Path("runs"),
        show_default=True,
        help="Folder that holds the run folders.",
    )(function)


def _complete_overrides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from xpot_core.cli.complete import overrides

    return overrides(ctx, param, incomplete)


def set_option(function: F) -> F:
    """``--set key.path=value``."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY.PATH=VALUE",
        help="Override any key of the study file; may be given several times.",
        shell_complete=_complete_overrides,
    )(function)


def trust_option(function: F) -> F:
    """``--trust``, or ``XPOT_TRUST=1``."""
    return click.option(
        "--trust",
        is_flag=True,
        envvar="XPOT_TRUST",
        help="Run the plugin files, programs and commands that the study names, without asking.",
    )(function)


def ask_trust(file: StudyFile, trust: bool) -> None:
    """Ask once before anything runs that a study names and no installed plugin is.

    Raises
    ------
    InputError
        If the answer is no, or there is nobody to ask.
    """
    import sys

    from xpot_core.errors import InputError
    from xpot_core.study_file.trust import is_trusted, remember, risks_of

    risks = risks_of(file)
    if is_trusted(risks, file.base):
        return
    if not trust:
        remedy = "read what it names; if you trust it, give --trust (once: the answer is kept), or set XPOT_TRUST=1"
        listing = "; ".join(f"{risk.key} = {risk.value}" for risk in risks)
        refusal = InputError(
            f"the study runs code that is not of installed plugins: {listing}", file=file.path, remedy=remedy
        )
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise refusal
        say(f"This study of {file.base} names what xpot would run on this machine as you:", err=True)
        for risk in risks:
            say(f"  {risk.key} = {risk.value}", err=True)
        if not click.confirm("Do you trust all of it?", err=True):
            raise refusal
    remember(risks, file.base)


def json_option(function: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object for scripts.")(
        function
    )


def wide_option(function: F) -> F:
    """``--wide``."""
    return click.option("--wide", is_flag=True, help="Tables in one piece, wider than the terminal.")(
        function
    )


def console(*, stderr: bool = False, wide: bool = False) -> Console:
    """A rich console that wraps nothing when it does not write to a terminal, or with `wide`.

    Text is shown as it is: brackets are no markup, and escape sequences are written out.
    """
    from xpot_core.report.tables.terminal import PlainConsole

    return PlainConsole(stderr=stderr, wide=wide)


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text that may hold names from outside."""
    from xpot_core.system.foreign_text import printable

    click.echo(printable(text, lines=True), err=err, nl=nl)


def open_option(function: F) -> F:
    """``--open``."""
    return click.option("--open", "browser", is_flag=True, help="Open the page in the browser.")(function)


def port_option(function: F) -> F:
    """``--port``."""
    return click.option(
        "--port", type=click.IntRange(0, 65535), default=0, help="Where to listen; by default a free port."
    )(function)


def at_most_one(flags: Mapping[str, object]) -> None:
    """Refuse flags that exclude each other.

    Raises
    ------
    InputError
        If more than one of the values is given.
    """
    from xpot_core.errors import InputError

    given = [flag for flag, value in flags.items() if value not in (None, False, ())]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other", remedy="give one of them")


def open_study(study_file: Path, overrides: tuple[str, ...], runs: Path, trust: bool) -> Study:
    """Read a study file and make the study of it, once the user agrees to what it runs."""
    from xpot_core.report.progress import tell_progress
    from xpot_core.search.loop import Study
    from xpot_core.study_file.read import read_study

    file = read_study(study_file, overrides)
    ask_trust(file, trust)
    with tell_progress(console(stderr=True)):
        return Study(file, runs)


def print_json(data: Any) -> None:
    """Print plain data as JSON that every parser reads: NaN becomes null."""
    import json

    from xpot_core.system.foreign_text import json_printable

    click.echo(json_printable(json.dumps(_finite(data), indent=2, ensure_ascii=False)))


def _finite(data: Any) -> Any:
    if isinstance(data, float) and data != data:
        return None
    if isinstance(data, dict):
        return {k: _finite(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(v) for v in data]
    return data
