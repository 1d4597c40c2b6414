"""Options and helpers that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from xpot_core.study import Study

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def study_file_argument(function: F) -> F:
    """Positional study file."""
    return click.argument("study_file", type=PATH, metavar="STUDY.YAML")(function)


def study_argument(function: F) -> F:
    """Positional study: file, run folder or name."""
    return click.argument("study", type=str, metavar="STUDY")(function)


def runs_option(function: F) -> F:
    """``--runs DIR``."""
    return click.option(
        "--runs",
        type=PATH,
        default=Path("runs"),
        show_default=True,
        help="Folder that holds the run folders.",
    )(function)


def set_option(function: F) -> F:
    """``--set key.path=value``."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY.PATH=VALUE",
        help="Override any key of the study file; may be given several times.",
    )(function)


def json_option(function: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object for scripts.")(
        function
    )


def console(*, stderr: bool = False) -> Console:
    """A rich console that wraps nothing when it does not write to a terminal."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    if not found.is_terminal:
        found = Console(stderr=stderr, highlight=False, width=160, soft_wrap=True)
    return found


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


def open_study(study_file: Path, overrides: tuple[str, ...], runs: Path) -> Study:
    """Read a study file and make the study of it."""
    from xpot_core.config import read_study
    from xpot_core.study import Study

    return Study(read_study(study_file, overrides), runs)


def print_json(data: Any) -> None:
    """Print plain data as JSON that every parser reads: NaN becomes null."""
    import json

    click.echo(json.dumps(_finite(data), indent=2, ensure_ascii=False))


def _finite(data: Any) -> Any:
    if isinstance(data, float) and data != data:
        return None
    if isinstance(data, dict):
        return {k: _finite(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(v) for v in data]
    return data
