"""What every plugin needs: hooks, options, errors, and what XPOT offers to all of them."""

from xpot_core.errors import InputError, PluginError, XpotError, nearest
from xpot_core.options.check import validate_options
from xpot_core.options.declare import OptionsModel, option
from xpot_core.plugins.hookspecs import hookimpl
from xpot_core.plugins.interfaces import Component, NoOptions
from xpot_core.system.cache import BoundedCache, CacheEntry, cache_folder, cache_limit
from xpot_core.system.logs import log_tail, logged
from xpot_core.system.processes import THREAD_VARIABLES, child_process
from xpot_core.system.progress import Tell, listener, told, untold
from xpot_core.system.shared_libraries import preload

__all__ = [
    "THREAD_VARIABLES",
    "BoundedCache",
    "CacheEntry",
    "Component",
    "InputError",
    "NoOptions",
    "OptionsModel",
    "PluginError",
    "Tell",
    "XpotError",
    "cache_folder",
    "cache_limit",
    "child_process",
    "hookimpl",
    "listener",
    "log_tail",
    "logged",
    "nearest",
    "option",
    "preload",
    "told",
    "untold",
    "validate_options",
]
