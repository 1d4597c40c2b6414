"""``xpot cache``: what plugins keep between runs."""

from __future__ import annotations

import time

import click

from xpot_core.cli.common import console, json_option, print_json, say


@click.command()
@click.argument("plugin", required=False)
@click.option("--clear", is_flag=True, help="Remove the entries.")
@json_option
def cache(plugin: str | None, clear: bool, as_json: bool) -> None:
    """Show (or clear) descriptors and matrices kept on disk, of one PLUGIN or of all."""
    from xpot_core.cache import cache_entries, cache_root, cached_plugins, clear_cache
    from xpot_core.errors import InputError, nearest
    from xpot_core.registry import load_registry

    if plugin is not None:
        known = {*cached_plugins(), *(record.plugin for record in load_registry().records)}
        if plugin not in known:
            raise InputError("is no plugin", key="PLUGIN", value=plugin, remedy=nearest(plugin, known))
    if clear:
        say(f"freed {clear_cache(plugin) / 1e6:.1f} MB in {cache_root()}")
        return
    entries = cache_entries(plugin)
    if as_json:
        print_json(
            [{"plugin": e.plugin, "path": str(e.path), "size": e.size, "used": e.used} for e in entries]
        )
        return
    from rich.table import Table

    table = Table("plugin", "entry", "MB", "last used", box=None)
    for entry in entries:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        table.add_row(entry.plugin, entry.path.name[:24], f"{entry.size / 1e6:.1f}", used)
    out = console()
    if entries:
        out.print(table)
    total = sum(e.size for e in entries) / 1e6
    out.print(f"{len(entries)} entries, {total:.1f} MB in {cache_root()} (variable XPOT_CACHE)", markup=False)
