"""The arguments of ``mace_run_train`` as plain data, from a configuration or a command line; needs no mace."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_PROGRAM = re.compile(r"(^|/)(mace_run_train|run_train\.py|mace\.cli\.run_train)$")
_ALIASES = {
    "stage_two": "swa",
    "start_stage_two": "start_swa",
    "stage_two_lr": "swa_lr",
    "stage_two_energy_weight": "swa_energy_weight",
    "stage_two_forces_weight": "swa_forces_weight",
    "stage_two_stress_weight": "swa_stress_weight",
    "stage_two_virials_weight": "swa_virials_weight",
}


def arguments(source: str) -> dict[str, Any] | None:
    """Argument -> value of a YAML file, a command line, or a script that holds one; None for anything else."""
    text = source
    if "\n" not in source and not _has_program(_words(source)):
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
    if "train_file" not in text and "run_train" not in text:
        return None  # large files of data are not parsed
    words = _words(text)
    if _has_program(words):
        return _of_command(words, Path() if text is source else Path(source).parent)
    return _of_yaml(text)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text.replace("\\\n", " "), comments=True)
    except ValueError:
        return []


def _has_program(words: list[str]) -> bool:
    return any(_PROGRAM.search(word) for word in words)


def _of_yaml(text: str) -> dict[str, Any] | None:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    if not isinstance(content, Mapping) or "train_file" not in content:
        return None
    return {_named(str(name)): _value(value) for name, value in content.items()}


def _of_command(words: list[str], folder: Path) -> dict[str, Any] | None:
    begin = next(i for i, word in enumerate(words) if _PROGRAM.search(word)) + 1
    found: dict[str, Any] = {}
    name: str | None = None
    for word in words[begin:]:
        if word in (";", "&&", "||", "|", "&", ">") or word.startswith((">", "2>")):
            break
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            name = _named(option)
            found[name] = _value(value) if equals else True
        elif name is not None:
            found[name] = _value(word)
            name = None
    if "config" in found:
        # what stands on the command line comes first
        inside = arguments(str(folder / str(found.pop("config"))))
        found = {**(inside or {}), **found}
    return found if "train_file" in found else None


def _named(name: str) -> str:
    return _ALIASES.get(name, name)


def _value(value: Any) -> Any:
    """Numbers, true and false, lists and dictionaries of Python or YAML that were written as text."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value == "None":  # a name among those of the distance transforms
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
