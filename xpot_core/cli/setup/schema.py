"""``xpot schema``: the study file as JSON Schema, for editors."""

from __future__ import annotations

from typing import Any

import click

from xpot_core.cli.common import (
    example,
    print_json,
)


@click.command(epilog=example("xpot schema > study.schema.json"))
def schema() -> None:
    """Print the JSON Schema of the study file with the options of every installed plugin."""
    print_json(study_schema())


def study_schema() -> dict[str, Any]:
    """JSON Schema of the study file; provider blocks list what is installed."""
    from xpot_core.plugins.interfaces.provider import Kind
    from xpot_core.plugins.registry import load_registry
    from xpot_core.study_file.schema import StudyConfig

    registry = load_registry()
    root = StudyConfig.model_json_schema(by_alias=True)
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions: dict[str, Any] = root.setdefault("$defs", {})
    definitions["hyperparameter"] = _HYPERPARAMETER
    blocks: dict[str, Kind] = {
        "fitter": "fitter",
        "predictor": "predictor",
        "loss": "loss",
        "optimizer": "optimizer",
        "executor": "executor",
        "validate": "validator",
    }
    for key, kind in blocks.items():
        choices: list[dict[str, Any]] = []
        for name in registry.names(kind):
            provider = registry.provider(kind, name)
            model = provider.options.model_json_schema(ref_template=f"#/$defs/{kind}.{name}.{{model}}")
            for inner, definition in model.pop("$defs", {}).items():
                definitions[f"{kind}.{name}.{inner}"] = _searchable(definition, kind)
            definitions[f"{kind}.{name}"] = _searchable(model, kind)
            choices.append(
                {
                    "type": "object",
                    "description": provider.summary,
                    "properties": {name: {"$ref": f"#/$defs/{kind}.{name}"}},
                    "required": [name],
                    "additionalProperties": False,
                }
            )
        block = {"anyOf": [{"enum": list(registry.names(kind))}, *choices]}
        old = root["properties"][key]
        described = {k: old[k] for k in ("description", "default") if k in old}
        root["properties"][key] = {
            **described,
            **({"type": "array", "items": block} if kind == "validator" else block),
        }
    return root


_HYPERPARAMETER: dict[str, Any] = {
    "description": "A searched option: tune, {min, max, log} or {choices: [...]}.",
    "anyOf": [
        {"const": "tune"},
        {
            "type": "object",
            "properties": {
                "tune": {"const": True},
                "min": {"type": "number"},
                "max": {"type": "number"},
                "log": {"type": "boolean"},
                "choices": {"type": "array", "minItems": 1},
                "per": {"enum": ["group", "element", "pair"]},
            },
            "additionalProperties": False,
        },
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/hyperparameter"}},
        {
            "type": "array",
            "items": {
                "anyOf": [{"type": ["number", "integer", "string"]}, {"$ref": "#/$defs/hyperparameter"}]
            },
        },
        {"type": "number"},
    ],
}


def _searchable(model: dict[str, Any], kind: str) -> dict[str, Any]:
    """Options of a fitter may be searched, so each admits a hyperparameter in its place."""
    if kind != "fitter":
        return model
    for name, option in model.get("properties", {}).items():
        if option.get("xpot", {}).get("tunable", True):
            facts = {k: option[k] for k in ("description", "default", "xpot") if k in option}
            model["properties"][name] = {**facts, "anyOf": [option, {"$ref": "#/$defs/hyperparameter"}]}
    return model
