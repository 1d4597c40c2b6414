"""Study files written by XPOT: a commented template, and inputs of other programs translated."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from xpot_core.options.declare import OptionInfo, list_item, option_info, submodel
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.study_file.read import flow_yaml
from xpot_core.study_file.schema import DEFAULT_LOSS

_WIDTH = 100


def path_from(file: Path, folder: Path) -> str:
    """A file as a study file in a folder names it; an absolute path stays what it is."""
    if file.is_absolute():
        return str(file)
    try:
        return os.path.relpath(file, folder)
    except ValueError:  # another drive
        return str(file)


def comment_lines(text: str, width: int, **indents: str) -> list[str]:
    """Lines that break between words only: names of groups, files and options stay whole."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False, **indents)  # type: ignore[arg-type]


def other_fitters(registry: Registry, fitter: str) -> list[str]:
    """A sentence on the fitters that could be taken instead; none where there are none."""
    others = [name for name in registry.preferred("fitter") if name != fitter]
    return [f"Other fitters here: {', '.join(others)} (xpot init --fitter NAME)."] if others else []


def study_template(
    fitter: str | None,
    optimizer: str,
    *,
    study: str = "my-study",
    train: str = "train.xyz",
    test: str | None = None,
) -> str:
    """A commented study file that runs once the data files are named.

    Options with a declared range are set to ``tune``; all others stand as comments with their
    defaults, so that the file shows everything and fixes nothing. Without a fitter it is
    `Registry.default_fitter`.
    """
    registry = load_registry()
    fitter = fitter or registry.default_fitter()
    fit = registry.provider("fitter", fitter)
    opt = registry.provider("optimizer", optimizer)
    loss = registry.provider("loss", DEFAULT_LOSS)
    lines = [
        f"# Study file of XPOT: {fit.summary}.",
        "# Run it with: xpot run FILE; check it first with: xpot doctor FILE.",
        *(f"# {sentence}" for sentence in other_fitters(registry, fitter)),
        f"study: {flow_yaml(study)}",
        "data:",
        f"  train: {flow_yaml(train)}",
        "  validation: {kfold: 5}         # or {fraction: 0.1}, or a file of validation structures",
        f"  {'test: ' + flow_yaml(test) if test else '# test: test.xyz'}                 # evaluated once, at the end",
        "  # keys: {energy: REF_energy, forces: REF_forces, virial: REF_virial}",
        "  # group_by: config_type        # info key that names the group of a structure",
        "fitter:",
        f"  {fitter}:",
        *_options(fit.options, "    ", tune=True),
        "loss:",
        f"  {DEFAULT_LOSS}:",
        *_options(loss.options, "    ", tune=False),
        f"optimizer:{'' if opt.options.model_fields else f' {optimizer}'}",
    ]
    if opt.options.model_fields:
        lines += [f"  {optimizer}:", *_options(opt.options, "    ", tune=False)]
    lines += [
        "# search: nested                 # weights by an inner search; default: flat",
        "# objectives: [energy, force]    # a Pareto set instead of one loss",
        "# constraints: [lammps-md]       # physical tests that every trial must pass",
        "validate: default                # cheap physical tests of the best; or a list such as [lammps-md]",
        "validate_best: 3                 # so many of the best are tested: the first that passes wins",
        "# prior: [runs/older]            # earlier studies to learn from",
        "budget: {trials: 50}             # also: time: 2h, patience: 20, target: 0.05",
        "executor: serial                 # or {local: {workers: 2}}",
        "seed: 1",
    ]
    return "\n".join(lines) + "\n"


def _options(model: type[BaseModel], indent: str, *, tune: bool) -> list[str]:
    lines: list[str] = []
    for name, field in model.model_fields.items():
        info = option_info(field)
        text = (field.description or "") + _facts(field, info)
        lines += [f"{indent}# {line}" for line in comment_lines(text, _WIDTH - len(indent) - 2)]
        value, written = _value(field, info, tune)
        lines.append(f"{indent}{'' if written else '# '}{name}: {flow_yaml(value)}")
    return lines


def _value(field: FieldInfo, info: OptionInfo, tune: bool) -> tuple[Any, bool]:
    """What the template writes for an option, and whether as a value or as a comment."""
    default = field.get_default(call_default_factory=True)
    # Options that are off by default (None) and those of single elements stay for the user to choose.
    chemical = {"element", "pair"} & set(info.per)
    if tune and info.tune and not info.converges and default is not None and not chemical:
        if isinstance(default, list):
            return ["tune"] * len(default), True
        return ({"tune": True, "per": "group"} if "group" in info.per else "tune"), True
    if default is PydanticUndefined:
        item = list_item(field.annotation)
        nested = submodel(item) if item is not None else None
        return ([_example(nested)] if nested is not None else "REQUIRED"), True
    if isinstance(default, BaseModel):
        default = default.model_dump()
    elif isinstance(default, list | tuple):
        default = [d.model_dump(exclude_none=True) if isinstance(d, BaseModel) else d for d in default]
    return default, False


def _example(model: type[BaseModel]) -> dict[str, Any]:
    """The first member of a one-of model with its defaults."""
    for name, field in model.model_fields.items():
        nested = submodel(field.annotation)
        if nested is not None:
            return {
                name: {
                    k: _value(f, option_info(f), True)[0]
                    for k, f in nested.model_fields.items()
                    if option_info(f).tune is not None
                }
            }
    return {}


def _facts(field: FieldInfo, info: OptionInfo) -> str:
    facts = []
    if info.tune is not None:
        scale = ", log scale" if info.tune.log else ""
        facts.append(f"tune: {info.tune.min:g} to {info.tune.max:g}{scale}")
    if info.unit:
        facts.append(f"unit: {info.unit}")
    default = field.get_default(call_default_factory=True)
    if default is not PydanticUndefined and not isinstance(default, BaseModel | list | dict):
        facts.append(f"default: {default}")
    if info.per:
        facts.append("may be given per " + " or ".join(info.per))
    if info.converges:
        facts.append("larger is more accurate but costs more")
    return f" [{'; '.join(facts)}]" if facts else ""
