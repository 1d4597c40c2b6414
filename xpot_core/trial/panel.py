"""The default panel: the cheap physical tests that installed plugins have for every study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xpot_core.errors import InputError, nearest
from xpot_core.options.declare import OptionsModel, option
from xpot_core.plugins.interfaces import CheckedValidator, ValidatorProvider
from xpot_core.plugins.registry import Registry
from xpot_core.types.structures import TrainingData

PANEL = "default"
"""Name of the panel among the validators of a study file."""
NOT_TESTED = "not-tested"
"""Reason of a test of the panel that does not go with the data: no verdict, and no fault."""


class PanelOptions(OptionsModel):
    """Options of the panel."""

    tests: list[str] | None = option(
        None, "Only these tests of the panel, e.g. the cheapest for a constraint. By default all."
    )


def panel(registry: Registry, only: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Blocks of the tests that belong to the panel, cheap ones first.

    Parameters
    ----------
    registry
        The installed plugins.
    only
        Names of tests to take; None takes all.

    Raises
    ------
    InputError
        If the panel has no test of such a name.
    """
    providers = [registry.get(ValidatorProvider, name) for name in registry.names("validator")]
    members = [p for p in sorted(providers, key=lambda p: p.effort) if p.panel]
    if only is not None:
        names = {p.name for p in members}
        if unknown := [name for name in only if name not in names]:
            raise InputError(
                f"the panel has no test '{unknown[0]}'",
                key="tests",
                value=list(only),
                remedy=nearest(unknown[0], names),
            )
        members = [p for p in members if p.name in only]
    return [{p.name: dict(options)} for p in members for options in p.panel]


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
        for one in panel(registry, block[PANEL].get("tests")):
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
