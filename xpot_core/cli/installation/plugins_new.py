"""``xpot plugins new``: a plugin package to start from."""

from __future__ import annotations

from pathlib import Path

import click

from xpot_core.cli.common import (
    PATH,
    example,
    say,
)
from xpot_core.cli.installation.plugins_check import KINDS


@click.command(epilog=example("xpot plugins new mine --kind fitter"))
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([*KINDS, "linear-fitter"]),
    required=True,
    help="What the plugin provides; linear-fitter: a fitter on xpot-linear, whose author supplies rows.",
)
@click.option("--to", type=PATH, metavar="DIR", help="Folder to write; by default xpot-NAME. Must not exist.")
def new(name: str, kind: str, to: Path | None) -> None:
    """Write a plugin package NAME: small, complete, installable, and passing the conformance kit.

    Then install it, test it, and replace its content by yours.
    """
    from xpot_core.plugins.registry import load_registry
    from xpot_core.setup.skeleton import STYLES, checked_name, write_skeleton

    short = checked_name(name, STYLES[kind], load_registry())
    folder = Path(f"xpot-{short}") if to is None else to
    written = write_skeleton(short, kind, folder)
    say(f"wrote {folder} with {len(written)} files; next:")
    say(f"  pip install -e {folder}")
    say(f"  xpot plugins check {short}")
    say(f"  python {folder / 'example' / 'make_data.py'}")
    say(f"  xpot run {folder / 'example' / 'study.yaml'}")
