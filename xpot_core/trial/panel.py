"""The default panel: the cheap physical tests that installed plugins have for every study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xpot_core.errors import InputError
from xpot_core.plugins.interfaces import CheckedValidator, ValidatorProvider
from xpot_core.plugins.registry import Registry
from xpot_core.types.structures import TrainingData

PANEL = "default"
"""Name of the panel among the validators of a study file."""
NOT_TESTED = "not-tested"
"""Reason of a test of the panel that does not go with the data: no verdict, and no fault."""


def panel(registry: Registry) -> list[dict[str, Any]]:
    """Blocks of the tests that belong to the panel, cheap ones first."""
    providers = [registry.get(ValidatorProvider, name) for name in registry.names("validator")]
    return [{p.name: dict(options)} for p in sorted(providers, key=lambda p: p.effort) for options in p.panel]


def expanded(
    registry: Registry, blocks: Sequence[Mapping[str, Any]], data: TrainingData, format: str
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The tests of a study, the panel replaced by what belongs to it.

    Yields
    ------
    block, refusal
        ``{name: options}``, and why a test of the panel cannot be done; empty where it can.
    """
    for block in blocks:
        if PANEL not in block:
            yield block, ""
            continue
        for one in panel(registry):
            yield one, _refusal(registry, one, data, format)


def _refusal(registry: Registry, block: Mapping[str, Any], data: TrainingData, format: str) -> str:
    name, options = next(iter(block.items()))
    provider = registry.get(ValidatorProvider, name)
    if missing := provider.missing():
        return f"needs {', '.join(missing)}"
    if provider.accepts and format not in provider.accepts:
        return f"does not read potentials of format '{format}'"
    validator = registry.create("validator", name, options).instance
    try:
        if isinstance(validator, CheckedValidator):
            validator.check(data)
    except InputError as error:
        return error.message
    return ""
