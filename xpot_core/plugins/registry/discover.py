"""Find plugin modules and import each one on its own, so that one fault stops nobody else."""

from __future__ import annotations

import enum
import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType

from xpot_core.errors import InputError
from xpot_core.plugins.hookspecs import API_VERSION
from xpot_core.system.interrupts import Interrupt

ENTRY_POINT_GROUP = "xpot"
SELECTION_VARIABLE = "XPOT_PLUGINS"
"""Comma-separated plugin names to load; empty loads the built-in one alone (for bisecting)."""
SLOW_IMPORT = 0.5
"""Seconds of CPU time; every command pays for a hooks module that takes more, so it is named."""


class PluginState(enum.StrEnum):
    """What became of a plugin."""

    OK = "ok"
    NEEDS_PROGRAM = "needs program"
    BROKEN = "broken"
    INCOMPATIBLE = "incompatible"
    SHADOWED = "shadowed"
    DISABLED = "disabled"
    NOT_INSTALLED = "not installed"


@dataclass
class PluginRecord:
    """A plugin as found, with the reason if it is not in use.

    Attributes
    ----------
    providers
        Kind -> names of the providers that it registered.
    missing
        ``kind 'name'`` of a provider -> programs and packages that it needs and that are not installed.
    """

    plugin: str
    distribution: str
    version: str
    state: PluginState = PluginState.OK
    reason: str = ""
    module: ModuleType | None = None
    providers: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, object]:
        """The object that ``xpot plugins --json`` prints."""
        return {
            "plugin": self.plugin,
            "distribution": self.distribution,
            "version": self.version,
            "state": str(self.state),
            "kinds": sorted(self.providers),
            "providers": sorted(n for names in self.providers.values() for n in names),
            "reason": self.reason,
        }


def find_plugins(files: Sequence[Path] = ()) -> Iterator[PluginRecord]:
    """Yield every installed plugin, then the given plugin files; faults stand in the record.

    Parameters
    ----------
    files
        Python files named in the study file under ``plugins:``.
    """
    selection = os.environ.get(SELECTION_VARIABLE)
    chosen = None if selection is None else {p.strip() for p in selection.split(",") if p.strip()}
    seen: dict[str, str] = {}
    points = metadata.entry_points(group=ENTRY_POINT_GROUP)
    # The core's own plugin comes first, so nobody can take the names of what is built in.
    for point in sorted(points, key=lambda p: (p.name != "builtin", p.name, p.value)):
        distribution = point.dist.name if point.dist else "?"
        version = point.dist.version if point.dist else "?"
        record = PluginRecord(point.name, distribution, version)
        if seen.get(point.name) == point.value:
            continue  # an editable install may be listed twice
        if point.name in seen:
            record.state = PluginState.SHADOWED
            record.reason = f"another distribution registers the plugin name '{point.name}' first"
        elif chosen is not None and point.name not in chosen and point.name != "builtin":
            record.state = PluginState.DISABLED
            record.reason = f"not named in the environment variable {SELECTION_VARIABLE}"
        else:
            seen[point.name] = point.value
            _import_into(record, point.load)
        yield record
    for path in files:
        record = PluginRecord(path.stem, str(path), "-")
        _import_into(record, lambda path=path: _module_from_file(path))
        yield record


def _import_into(record: PluginRecord, load: object) -> None:
    begin = time.process_time()
    try:
        module = load()  # type: ignore[operator]
    except InputError:
        raise
    except BaseException as error:  # a plugin may even call sys.exit while it is imported
        if isinstance(error, KeyboardInterrupt | Interrupt):
            raise
        record.state = PluginState.BROKEN
        record.reason = f"import failed: {type(error).__name__}: {error}"
        return
    record.module = module
    taken = time.process_time() - begin
    if taken > SLOW_IMPORT:
        record.reason = f"slow: its import takes {taken:.1f} s of every command"
    wanted = getattr(module, "xpot_api_version", API_VERSION)
    if wanted != API_VERSION:
        record.state = PluginState.INCOMPATIBLE
        record.reason = f"built for hook version {wanted}, this core has {API_VERSION}"


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(
            "plugin file does not exist",
            key="plugins",
            value=str(path),
            remedy="paths start from the study file's folder; an installed plugin needs no entry here",
        )
    name = f"xpot_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        # Another registry has it: a second copy would have option classes that the first does not know.
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(
            "is not a Python file", key="plugins", value=str(path), remedy="name a file that ends in .py"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # lets Provider.load name the file's own classes by __name__
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
