"""``xpot cache``: what plugins keep between runs."""

from __future__ import annotations

import os
import time
from dataclasses import asdict

import click

from xpot_core.cli.common import (
    console,
    example,
    json_option,
    print_json,
    wide_option,
)
from xpot_core.cli.complete import plugins

_NAMED = 20
"""How many things that are not ours are named on the terminal."""


@click.command(epilog=example("xpot cache", "xpot cache snap --clear", "xpot cache --clear --older 30"))
@click.argument("plugin", required=False, shell_complete=plugins)
@click.option("--clear", is_flag=True, help="Remove the entries, and nothing else.")
@click.option(
    "--older",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Only entries that no study has used for so many days.",
)
@wide_option
@json_option
def cache(plugin: str | None, clear: bool, older: float | None, wide: bool, as_json: bool) -> None:
    """Show (or clear) descriptors and matrices kept on disk, of one PLUGIN or of all."""
    from xpot_core.errors import InputError, nearest
    from xpot_core.plugins.registry import load_registry
    from xpot_core.report.statistics.series import ago
    from xpot_core.report.tables.terminal import PlainTable, names, numbers, texts
    from xpot_core.system.cache.folders import cache_items, cache_root, clear_cache
    from xpot_core.system.foreign_text import printable

    if plugin is not None:
        known = {*(item.plugin for item in cache_items()), *(r.plugin for r in load_registry().records)} - {
            ""
        }
        if plugin not in known:
            raise InputError("is no plugin", key="PLUGIN", value=plugin, remedy=nearest(plugin, known))
    before = None if older is None else time.time() - older * 86400
    items = [i for i in cache_items(plugin) if before is None or not i.ours or i.used < before]
    if clear:
        freed = clear_cache(plugin, before)
        items = [item for item in items if os.path.lexists(item.path)]
    if as_json:
        print_json([{**asdict(item), "path": str(item.path)} for item in items])
        return
    out, root = console(wide=wide), printable(cache_root())
    entries = [item for item in items if item.ours]
    rows = []
    for item in entries:
        rows.append(
            (
                item.plugin,
                item.path.name[:12],
                f"{item.size / 1e6:.1f}",
                ago(item.used),
                printable(item.summary),
            )
        )
    if entries:
        columns = [*names("plugin", "entry"), *numbers("MB"), *numbers("last used"), *texts("what")]
        out.print(PlainTable(columns, rows))
    for name in sorted({item.plugin for item in entries}):
        own = [item.size for item in entries if item.plugin == name]
        out.print(f"{printable(name)}: {len(own)} entries, {sum(own) / 1e6:.1f} MB")
    if clear:
        out.print(f"freed {freed / 1e6:.1f} MB in {root}")
    else:
        total = sum(item.size for item in entries) / 1e6
        out.print(f"{len(entries)} entries, {total:.1f} MB in {root} (variable XPOT_CACHE)")
    others = [item for item in items if not item.ours]
    for item in others[:_NAMED]:
        out.print(f"left alone, {item.summary}: {printable(item.path)}")
    if len(others) > _NAMED:
        out.print(f"left alone: {len(others) - _NAMED} more")
