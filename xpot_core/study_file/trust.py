"""What a study makes xpot run beside installed plugins, and whether this user has agreed to it.

A study file may name Python files, programs and commands. Somebody who sends a folder with a study could have his
code run by that, so the commands that would run it ask once, and remember the answer for exactly this content.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from xpot_core.errors import InputError, XpotError
from xpot_core.options.declare import list_item, option_info, submodel
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.study_file.read import StudyFile, set_key, study_from_dict

_BLOCKS = {
    "fitter": "fitter",
    "predictor": "predictor",
    "loss": "loss",
    "optimizer": "optimizer",
    "executor": "executor",
    "validate_with": "validator",
    "constraints": "validator",
}
"""Field of the study file that holds provider blocks -> their kind."""
_LARGEST = 100_000_000
"""Bytes up to which a program is known by its content, beyond by its path alone."""


@dataclass(frozen=True, order=True)
class Risk:
    """One thing that a study makes xpot run or write.

    Attributes
    ----------
    key
        Of the study file.
    value
        What stands there; the whole path of a plugin file.
    content
        sha256 of the file that it names; empty where it names none.
    """

    key: str
    value: str
    content: str = ""


def risks_of(file: StudyFile) -> list[Risk]:
    """Plugin files, and options whose declaration says ``needs_trust``; those of every member of a family."""
    registry = load_registry()
    found = set(_risks(file, registry))
    for key, values in file.config.matrix.items():
        for value in values:
            raw = copy.deepcopy({k: v for k, v in file.raw.items() if k != "matrix"})
            with contextlib.suppress(InputError):  # a member that is wrong is told by who makes it
                set_key(raw, key, copy.deepcopy(value))
                found.update(_risks(study_from_dict(raw, file.base), registry))
    return sorted(found)


def _risks(file: StudyFile, registry: Registry) -> Iterator[Risk]:
    for name in file.config.plugins:
        path = file.resolve(name)
        yield Risk("plugins", str(path.resolve()), _content(path))
    for field, kind in _BLOCKS.items():
        given = getattr(file.config, field) or []
        for block in given if isinstance(given, list) else [given]:
            name, options = next(iter(block.items()))
            with contextlib.suppress(XpotError):  # what is not installed runs nothing
                model = registry.provider(kind, name).options  # type: ignore[arg-type]
                for key, value in _asked(model, options, f"{kind}.{name}"):
                    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
                    yield Risk(key, text, _content(file.resolve(text)) if isinstance(value, str) else "")


def _asked(model: type[BaseModel], given: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Options that are given and marked, however deep they stand."""
    if not isinstance(given, Mapping):
        return
    for name, field in model.model_fields.items():
        value = given.get(name)
        if value is None:
            continue
        if option_info(field).needs_trust:
            yield f"{key}.{name}", value
            continue
        item = list_item(field.annotation)
        inner = submodel(field.annotation) or (submodel(item) if item is not None else None)
        if inner is not None:
            for i, one in enumerate(value if isinstance(value, list) else [value]):
                yield from _asked(
                    inner, one, f"{key}.{name}.{i}" if isinstance(value, list) else f"{key}.{name}"
                )


def _content(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST:
            return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        pass  # a value that is no path, or a file that nobody can read, runs nothing
    return ""


def _digest(risks: Sequence[Risk], base: Path) -> str:
    """What an answer stands for: these things with this content, named from this folder."""
    facts = [str(base), *([r.key, r.value, r.content] for r in risks)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def memory() -> Path:
    """The file that holds the answers of this user."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "xpot" / "trusted.json"


def is_trusted(risks: Sequence[Risk], base: Path) -> bool:
    """Whether this user agreed to run exactly this."""
    return not risks or _digest(risks, base) in _answers()


def remember(risks: Sequence[Risk], base: Path) -> None:
    """Keep that this user agreed; where nothing can be kept, the question comes again."""
    path = memory()
    answers = {
        **_answers(),
        _digest(risks, base): {"folder": str(base), "at": time.strftime("%Y-%m-%d %H:%M")},
    }
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
        fresh.write_text(json.dumps(answers, indent=1), encoding="utf-8")
        fresh.replace(path)


def _answers() -> dict[str, Any]:
    try:
        answers = json.loads(memory().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return answers if isinstance(answers, dict) else {}
