"""From entry points to providers; a broken plugin is contained and explained."""

from xpot_core.plugins.registry.catalogue import Registry
from xpot_core.plugins.registry.discover import PluginRecord, PluginState, find_plugins
from xpot_core.plugins.registry.load import load_registry

__all__ = ["PluginRecord", "PluginState", "Registry", "find_plugins", "load_registry"]
