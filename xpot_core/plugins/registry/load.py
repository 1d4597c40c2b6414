"""Turn plugin modules into a plugin manager and a catalogue of providers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

import pluggy

from xpot_core.errors import InputError, nearest
from xpot_core.options.declare import undocumented
from xpot_core.plugins import default_hooks, hookspecs
from xpot_core.plugins.interfaces.provider import PROVIDERS, Kind
from xpot_core.plugins.registry.catalogue import Registry
from xpot_core.plugins.registry.discover import PluginRecord, PluginState, find_plugins

REGISTER_HOOKS: dict[Kind, str] = {
    "fitter": "xpot_register_fitters",
    "predictor": "xpot_register_predictors",
    "loss": "xpot_register_losses",
    "optimizer": "xpot_register_optimizers",
    "executor": "xpot_register_executors",
    "validator": "xpot_register_validators",
    "importer": "xpot_register_importers",
}

NOTIFY_HOOKS = ("xpot_study_started", "xpot_trial_finished", "xpot_study_finished")

_logger = logging.getLogger("xpot")


def load_registry(files: Sequence[Path] = ()) -> Registry:
    """Load every installed plugin, and plugin files that a study names.

    The result is kept per set of files: discovery costs tenths of a second.
    """
    return _load(tuple(Path(f).resolve() for f in files))


@lru_cache(maxsize=8)
def _load(files: tuple[Path, ...]) -> Registry:
    registry = build_registry(find_plugins(files))
    for record in registry.records[len(registry.records) - len(files) :]:
        # What is installed may be broken and unused; what a study names is wanted.
        if record.state in (PluginState.BROKEN, PluginState.INCOMPATIBLE):
            raise InputError(
                f"plugin file cannot be used: {record.reason}",
                key="plugins",
                value=record.distribution,
                remedy="mend it, or take it out of the study file",
            )
    return registry


def build_registry(records: object) -> Registry:
    """Register the plugins of the records one by one and collect their providers."""
    manager = pluggy.PluginManager("xpot")
    manager.add_hookspecs(hookspecs)
    registry = Registry(manager)
    for record in records:  # type: ignore[attr-defined]
        registry.records.append(record)
        if record.state is PluginState.OK and record.module is not None:
            _register(registry, record)
    for hook in NOTIFY_HOOKS:
        for listener in getattr(manager.hook, hook).get_hookimpls():
            if not (listener.wrapper or listener.hookwrapper):
                listener.function = _contained(listener.function, hook, listener.plugin_name)
    # The core's verbs are registered first in pluggy's order of calls, so they answer last.
    manager.register(default_hooks, name="xpot_core.plugins.default_hooks")
    return registry


def _contained(listener: Callable[..., Any], hook: str, plugin: str) -> Callable[..., None]:
    """A listener that fails is logged: it stops neither the study nor the listeners after it."""

    @wraps(listener)
    def tell(*arguments: Any) -> None:
        try:
            listener(*arguments)
        except Exception:
            _logger.exception("listener %s of plugin %s failed", hook, plugin)

    return tell


def _register(registry: Registry, record: PluginRecord) -> None:
    fault = _unknown_hook(record)
    if fault is None:
        try:
            registry.manager.register(record.module, name=f"plugin:{record.plugin}")
        except (pluggy.PluginValidationError, ValueError) as error:
            fault = str(error)
    if fault is None:
        fault = _collect(registry, record)
    if fault is not None:
        if registry.manager.is_registered(record.module):
            registry.manager.unregister(record.module)
        registry.forget(record)
        record.state, record.reason = PluginState.BROKEN, fault


def _unknown_hook(record: PluginRecord) -> str | None:
    """A misspelt hook would register without a word and never be called."""
    for name in dir(record.module):
        marked = hasattr(getattr(record.module, name, None), "xpot_impl")
        if marked and not hasattr(hookspecs, name):
            known = [h for h in dir(hookspecs) if h.startswith("xpot_")]
            return f"implements the unknown hook '{name}'; {nearest(name, known)}"
    return None


def _collect(registry: Registry, record: PluginRecord) -> str | None:
    others = [p for _, p in registry.manager.list_name_plugin() if p is not record.module]
    for kind, hook in REGISTER_HOOKS.items():
        caller = registry.manager.subset_hook_caller(hook, remove_plugins=others)
        try:
            answers = caller()
            providers = [provider for answer in answers for provider in answer]
        except Exception as error:
            return f"{hook} failed: {type(error).__name__}: {error}"
        for provider in providers:
            fault = _accept(registry, record, kind, provider)
            if fault is not None:
                return fault
    _look_at_requirements(record)
    return None


def _look_at_requirements(record: PluginRecord) -> None:
    """A plugin needs something where none of its providers works; else only some of them do."""
    if record.missing and record.state is PluginState.OK:
        if len(record.missing) == sum(map(len, record.providers.values())):
            record.state = PluginState.NEEDS_PROGRAM
        record.reason = "; ".join(f"{provider} needs {what}" for provider, what in record.missing.items())


def _accept(registry: Registry, record: PluginRecord, kind: Kind, provider: object) -> str | None:
    if not isinstance(provider, PROVIDERS[kind]):
        return f"{REGISTER_HOOKS[kind]} gave {type(provider).__name__} instead of {PROVIDERS[kind].__name__}"
    faults = undocumented(provider.options)
    if faults:
        return f"{kind} '{provider.name}': {faults[0]}"
    owner = registry.owner(kind, provider.name)
    if owner is not None:
        # Only the second one loses its place; the rest of its plugin stays usable.
        record.state = PluginState.SHADOWED
        record.reason = f"{kind} '{provider.name}' is registered already by plugin '{owner.plugin}'"
        return None
    registry.add(kind, provider, record)
    missing = provider.missing()
    if missing:
        record.missing[f"{kind} '{provider.name}'"] = ", ".join(missing)
    return None
