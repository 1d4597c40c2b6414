"""From the name of a provider to its contract: what ``xpot plugins check`` runs, and pytest too.

A provider may declare how it is to be tested, ``contract="package.module:CONTRACT"``: either a
mapping of the contract's attributes or a subclass of the contract. Without it the defaults are used.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xpot_core import testing
from xpot_core.errors import PluginError
from xpot_core.plugins.interfaces.provider import KINDS, FitterProvider, Kind, PredictorProvider
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.testing.contracts.contract import Contract


def base_contract(kind: Kind) -> type[Contract]:
    """The contract of a kind."""
    found: type[Contract] = getattr(testing, f"{kind.capitalize()}Contract")
    return found


def contract_class(kind: Kind, name: str, plugin_files: Sequence[Path] = ()) -> type[Contract]:
    """The contract of an installed provider, with what the provider declares about its test.

    Parameters
    ----------
    kind
        E.g. ``"fitter"``.
    name
        Of the provider.
    plugin_files
        Plugin files to load, for providers that are not installed.

    Raises
    ------
    NotInstalledError
        If no plugin registers the name.
    PluginError
        If the declaration is none.

    Examples
    --------
    In a test file, pytest then runs what ``xpot plugins check mine`` runs::

        from xpot_core.testing import contract_class

        TestMine = contract_class("fitter", "mine")
    """
    return _contract_class(kind, name, tuple(Path(f).resolve() for f in plugin_files))


@functools.cache
def _contract_class(kind: Kind, name: str, plugin_files: tuple[Path, ...]) -> type[Contract]:
    provider, base = load_registry(plugin_files).provider(kind, name), base_contract(kind)
    attributes: dict[str, Any] = {"provider": name, "plugin_files": plugin_files}
    declared = provider.tool("contract")
    where = f"{kind} '{name}': contract = '{provider.contract}'"
    if inspect.isclass(declared) and issubclass(declared, base):
        base = declared
    elif isinstance(declared, Mapping):
        unknown = sorted(key for key in declared if not hasattr(base, key))
        if unknown:
            raise PluginError(
                f"{where} names {unknown[0]!r}, which is no attribute of {base.__name__}",
                remedy="the page of the contracts in the documentation lists them",
            )
        attributes |= declared
    elif declared is not None:
        raise PluginError(f"{where} is neither a mapping nor a subclass of {base.__name__}")
    title = "".join(part.capitalize() for part in name.replace("_", "-").split("-"))
    try:
        return type(f"Test{title}", (base,), attributes)
    except TypeError as error:  # expected failures of rules that do not exist
        raise PluginError(f"{where}: {error}") from error


def providers_named(registry: Registry, name: str, kind: Kind | None = None) -> list[tuple[Kind, str]]:
    """What a user may mean by a name: a provider of any kind, or a plugin with all its providers.

    A predictor whose formats a fitter among them makes is left out: the fitter's contract tests it.
    """
    kinds = KINDS if kind is None else (kind,)
    found = [(k, name) for k in kinds if name in registry.names(k)]
    if not found:
        found = [
            (k, provider)
            for record in registry.records
            if record.plugin == name
            for k in kinds
            for provider in record.providers.get(k, [])
        ]
    made = {f for k, n in found if k == "fitter" for f in registry.get(FitterProvider, n).produces}
    return [
        (k, n)
        for k, n in found
        if k != "predictor" or not made & set(registry.get(PredictorProvider, n).accepts)
    ]
