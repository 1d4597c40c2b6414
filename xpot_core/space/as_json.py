"""A search space as the plain data that a store keeps, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xpot_core.space.parameters import Choice, Float, Int, Parameter, Slot, Space

_SLOT = "$hyperparameter"


def space_to_json(space: Space) -> dict[str, Any]:
    """``space``: a row for each hyperparameter, ``template``: the options tree with places for their values."""
    return {"space": [_row(parameter) for parameter in space], "template": _tree_to_json(space.template)}


def space_from_json(data: Mapping[str, Any]) -> Space:
    """Inverse of `space_to_json`; further keys are passed over, and an older store has no template."""
    parameters = tuple(_parameter(row) for row in data.get("space") or ())
    return Space(parameters, _tree_from_json(data.get("template")))


def _row(p: Parameter) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": p.name,
        "kind": type(p).__name__.lower(),
        "stage": p.stage,
        "default": p.default,
    }
    if isinstance(p, Choice):
        return {**row, "choices": list(p.choices)}
    return {**row, "low": p.low, "high": p.high, "log": p.log}


def _parameter(row: Mapping[str, Any]) -> Parameter:
    name, stage, default = row["name"], row.get("stage"), row.get("default")
    if row["kind"] == "choice":
        return Choice(name, tuple(row["choices"]), stage, default)
    kind = Int if row["kind"] == "int" else Float
    return kind(name, row["low"], row["high"], row["log"], stage, default)


def _tree_to_json(node: Any) -> Any:
    if isinstance(node, Slot):
        return {_SLOT: node.name}
    if isinstance(node, dict):
        return {k: _tree_to_json(v) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return [_tree_to_json(v) for v in node]
    return node


def _tree_from_json(data: Any) -> Any:
    if isinstance(data, dict):
        if set(data) == {_SLOT}:
            return Slot(data[_SLOT])
        return {k: _tree_from_json(v) for k, v in data.items()}
    if isinstance(data, list):
        return [_tree_from_json(v) for v in data]
    return data
