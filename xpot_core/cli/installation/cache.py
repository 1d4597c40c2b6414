"""``xpot cache``: what plugins keep between runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from xpot_core.cli.common import (
    complete_studies,
    console,
    example,
    json_option,
    print_json,
    wide_option,
)
from xpot_core.cli.complete import plugins

if TYPE_CHECKING:
    from xpot_core.system.cache.folders import CacheItem

_NAMED = 20
"""How many things that are not ours are named on the terminal."""
_UNKNOWN = "not known"


@click.command(
    epilog=example(
        "xpot cache",
        "xpot cache --study old --entries",
        "xpot cache snap --clear",
        "xpot cache --clear --older 30",
    )
)
@click.argument("plugin", required=False, shell_complete=plugins)
@click.option(
    "--study", help="Only entries that the study of this name made.", shell_complete=complete_studies
)
@click.option(
    "--older",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Only entries that no study has used for so many days.",
)
@click.option("--entries", "each", is_flag=True, help="List each entry.")
@click.option("--clear", is_flag=True, help="Remove the entries, and nothing else.")
@wide_option
@json_option
def cache(
    plugin: str | None,
    study: str | None,
    older: float | None,
    each: bool,
    clear: bool,
    wide: bool,
    as_json: bool,
) -> None:
    """Show (or clear) descriptors and matrices kept on disk, of one PLUGIN or of all, by study and age.

    An entry counts for the study that made it; others may use it as well.
    """
    from xpot_core.errors import InputError, nearest
    from xpot_core.plugins.registry import load_registry
    from xpot_core.system.cache.folders import cache_items, cache_root, clear_cache
    from xpot_core.system.foreign_text import printable

    if plugin is not None:
        known = {*(item.plugin for item in cache_items()), *(r.plugin for r in load_registry().records)} - {
            ""
        }
        if plugin not in known:
            raise InputError("is no plugin", key="PLUGIN", value=plugin, remedy=nearest(plugin, known))
    items = cache_items(plugin)
    if older is not None:
        before = time.time() - older * 86400
        items = [i for i in items if not i.ours or i.used < before]
    if study is not None:
        items = [i for i in items if i.study == study]
    if clear:
        freed = clear_cache(items)
        items = [item for item in items if os.path.lexists(item.path)]
    if as_json:
        print_json([{**asdict(item), "path": str(item.path)} for item in items])
        return
    out, root = console(wide=wide), printable(cache_root())
    entries = [item for item in items if item.ours]
    if entries:
        out.print(_by_study(entries))
    if entries and each:
        out.print(_each(entries))
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


def _by_study(entries: Iterable[CacheItem]) -> Any:
    """A row for each study and plugin, the last used first."""
    from xpot_core.report.tables.terminal import PlainTable, names, numbers
    from xpot_core.statistics.number_text import ago
    from xpot_core.system.foreign_text import printable

    of: dict[tuple[str, str], list[CacheItem]] = {}
    for item in entries:
        of.setdefault((item.study, item.plugin), []).append(item)
    columns = [*names("made by", "plugin"), *numbers("entries", "MB", "last used", "oldest used")]
    rows = [
        (
            printable(study) or _UNKNOWN,
            printable(plugin),
            str(len(own)),
            f"{sum(item.size for item in own) / 1e6:.1f}",
            ago(max(item.used for item in own)),
            ago(min(item.used for item in own)),
        )
        for (study, plugin), own in of.items()
    ]
    return PlainTable(columns, rows)


def _each(entries: Iterable[CacheItem]) -> Any:
    from xpot_core.report.tables.terminal import PlainTable, names, numbers, texts
    from xpot_core.statistics.number_text import ago
    from xpot_core.system.foreign_text import printable

    columns = [*names("made by", "plugin", "entry"), *numbers("MB", "last used"), *texts("what")]
    rows = [
        (
            printable(item.study) or _UNKNOWN,
            printable(item.plugin),
            item.path.name[:12],
            f"{item.size / 1e6:.1f}",
            ago(item.used),
            printable(item.summary),
        )
        for item in entries
    ]
    return PlainTable(columns, rows)
