"""What a shell offers after Tab: studies, providers, and keys of the study file.

Nothing here may fail: who presses Tab in the middle of a word has not asked anything yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_XPOT_COMPLETE"
"""Set while a shell asks; its value says what for, see click's documentation."""


def studies(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Studies and families below ``--runs``; of a path the shell knows better."""
    from xpot_core.results.listing import study_folders

    names: set[str] = set()
    with contextlib.suppress(OSError):
        names.update(study_folders(Path(ctx.params.get("runs") or "runs")))
    names |= {name.partition("/")[0] for name in names if "/" in name}
    return sorted(n for n in names if n.startswith(incomplete))


def providers(*kinds: Any) -> Any:
    """A completion of the names of installed providers."""

    def names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from xpot_core.plugins.registry import load_registry

        registry = load_registry()
        return sorted({n for kind in kinds for n in registry.names(kind) if n.startswith(incomplete)})

    return names


def plugins(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of installed plugins."""
    from xpot_core.plugins.registry import load_registry

    return sorted(r.plugin for r in load_registry().records if r.plugin.startswith(incomplete))


def overrides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Keys for ``--set``, of the providers that the study names where it is known; ``=`` is added."""
    if "=" in incomplete:
        return []
    raw: dict[str, Any] = {}
    words = [ctx.params.get("study_file"), *ctx.args]  # click sorts arguments in when the line is whole
    files = [Path(word) for word in words if word and str(word).endswith((".yaml", ".yml"))]
    with contextlib.suppress(Exception):  # one that is being written
        from xpot_core.study_file.read import parse_yaml

        raw = parse_yaml(files[0].read_text(encoding="utf-8"))
    return sorted(f"{key}=" for key in study_keys(raw) if key.startswith(incomplete))


def study_keys(raw: dict[str, Any]) -> Iterator[str]:
    """Keys of the study file; in the blocks of providers those of the named one, or of all.

    Parameters
    ----------
    raw
        A study file as plain data, as far as it is known.
    """
    from typing import get_args

    from pydantic import BaseModel

    from xpot_core.plugins.registry import load_registry
    from xpot_core.study_file.schema import StudyConfig

    registry = load_registry()
    for name, field in StudyConfig.model_fields.items():
        yield name
        kinds: Any = name if name in ("fitter", "predictor", "loss", "optimizer", "executor") else None
        if kinds:
            known = registry.names(kinds)
            block = raw.get(name)
            named = block if isinstance(block, dict) else {block: None}
            chosen = [n for n in known if n in named] or known
            for provider in chosen:
                options = registry.provider(kinds, provider).options.model_fields
                yield from (f"{name}.{provider}.{option}" for option in options)
            continue
        for model in (field.annotation, *get_args(field.annotation)):
            if isinstance(model, type) and issubclass(model, BaseModel):
                yield from (f"{name}.{f.alias or inner}" for inner, f in model.model_fields.items())
