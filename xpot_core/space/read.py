"""From the options block of a study file to a search space: tune, ranges, choices, per group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from xpot_core.errors import InputError, nearest
from xpot_core.options import bounds
from xpot_core.options.check import validate_options
from xpot_core.options.declare import (
    Expansion,
    OptionInfo,
    Range,
    list_item,
    option_info,
    ordered_pairs,
    pair_names,
    scalar_type,
    submodel,
)
from xpot_core.space.parameters import Choice, Float, Int, Parameter, Slot, Space

_SPEC_KEYS = {"tune", "min", "max", "log", "choices", "per"}


def build_space(
    model: type[BaseModel], raw: Any, *, groups: Sequence[str] = (), elements: Sequence[str] = ()
) -> Space:
    """Read the options block of a study file.

    Parameters
    ----------
    model
        The provider's options model.
    raw
        The block as plain data.
    groups, elements
        What ``per: group``, ``per: element`` and ``per: pair`` (of elements) expand to.

    Raises
    ------
    InputError
        With the dotted key relative to the block.
    """
    builder = _Builder(tuple(groups), tuple(elements))
    template = builder.model(model, {} if raw is None else raw, "")
    if len(builder.parameters) > bounds.HYPERPARAMETERS:
        raise InputError(
            f"{len(builder.parameters)} hyperparameters are searched, and {bounds.HYPERPARAMETERS} are the most",
            key=builder.parameters[0].name,
            remedy="fix some of them; per: group makes one for each group of the data",
        )
    space = Space(tuple(builder.parameters), template)
    _check_ends(model, space)
    return space


def inherited_scales(
    model: type[BaseModel], raw: Any, *, groups: Sequence[str] = (), elements: Sequence[str] = ()
) -> list[str]:
    """Options whose ends are written and whose logarithmic scale is not: it is the one that the provider declares.

    Parameters
    ----------
    model, raw, groups, elements
        As for `build_space`.
    """
    builder = _Builder(tuple(groups), tuple(elements))
    builder.model(model, {} if raw is None else raw, "")
    return builder.inherited


class _Builder:
    """Walks options model and study file side by side and collects hyperparameters."""

    def __init__(self, groups: tuple[str, ...], elements: tuple[str, ...]) -> None:
        self.members: dict[Expansion, tuple[str, ...]] = {
            "group": groups,
            "element": elements,
            "pair": pair_names(elements),
        }
        self.parameters: list[Parameter] = []
        self.inherited: list[str] = []

    def model(self, model: type[BaseModel], raw: Any, path: str) -> Any:
        if not isinstance(raw, dict):
            raise InputError(
                "must be a mapping of options",
                key=path.removesuffix(".") or None,
                value=raw,
                remedy="write {option: value}",
            )
        filled = {}
        for name, value in raw.items():
            key = f"{path}{name}"
            field = model.model_fields.get(str(name))
            if field is None:
                raise InputError("unknown key", key=key, remedy=nearest(str(name), model.model_fields))
            default = field.get_default(call_default_factory=True)
            filled[name] = self.value(field.annotation, option_info(field), value, key, default)
        return filled

    def value(self, annotation: Any, info: OptionInfo, raw: Any, key: str, default: Any = None) -> Any:
        if raw == "tune" or (isinstance(raw, dict) and _is_spec(raw)):
            return self.spec(annotation, info, {"tune": True} if raw == "tune" else raw, key, default)
        nested = submodel(annotation)
        if nested is not None and isinstance(raw, dict):
            return self.model(nested, raw, f"{key}.")
        if info.per and isinstance(raw, dict):
            return self.mapping(annotation, info, raw, key, default)
        item = list_item(annotation)
        if item is not None and isinstance(raw, list):
            item_model = submodel(item)
            if item_model is not None:
                return [self.model(item_model, v, f"{key}.{i}.") for i, v in enumerate(raw)]
            return [self.value(item, info, v, f"{key}.{i}", _member(default, i)) for i, v in enumerate(raw)]
        if isinstance(raw, list | dict) and _has_spec(raw):
            raise InputError(
                "has no place for hyperparameters inside it",
                key=key,
                value=raw,
                remedy="give it a fixed value, or {choices: [...]} of whole values",
            )
        return raw

    def mapping(
        self, annotation: Any, info: OptionInfo, raw: dict[str, Any], key: str, default: Any = None
    ) -> Any:
        if "pair" in info.per:
            try:
                raw = ordered_pairs(raw)
            except ValueError as error:
                message, name = error.args
                raise InputError(message, key=f"{key}.{name}", remedy="name it once") from error
        expansion = self.expansion_of(info, raw, key)
        members = self.members[expansion]
        unknown = [k for k in raw if str(k) not in members]
        if unknown:
            raise InputError(
                f"no {expansion} '{unknown[0]}' in the data",
                key=f"{key}.{unknown[0]}",
                remedy=nearest(str(unknown[0]), members),
            )
        missing = [m for m in members if m not in raw]
        if missing:
            raise InputError(
                f"gives no value for {expansion} {', '.join(missing)}",
                key=key,
                value=raw,
                remedy=f"name every {expansion}: {', '.join(members)}",
            )
        scalar = scalar_type(annotation)
        one = _single(info)
        return {m: self.value(scalar, one, raw[m], f"{key}.{m}", _member(default, m)) for m in members}

    def expansion_of(self, info: OptionInfo, raw: dict[str, Any], key: str) -> Expansion:
        for expansion in info.per:
            if any(str(k) in self.members[expansion] for k in raw):
                return expansion
        kinds = " or ".join(info.per)
        known = [m for e in info.per for m in self.members[e]]
        first = next(iter(raw), "")
        raise InputError(
            f"must be one value, or a mapping by {kinds}",
            key=f"{key}.{first}",
            remedy=nearest(str(first), known),
        )

    def spec(
        self, annotation: Any, info: OptionInfo, raw: dict[str, Any], key: str, default: Any = None
    ) -> Any:
        unknown = set(raw) - _SPEC_KEYS
        if unknown:
            name = sorted(map(str, unknown))[0]
            raise InputError(
                "unknown key of a hyperparameter", key=f"{key}.{name}", remedy=nearest(name, _SPEC_KEYS)
            )
        if not info.tunable:
            raise InputError("cannot be searched", key=key, value=raw, remedy="give it a fixed value")
        written = {"min", "max"} & set(raw)
        if written and "log" not in raw and info.tune is not None and info.tune.log:
            self.inherited.append(key)
        per = raw.get("per")
        if per is None:
            return self.parameter(annotation, info, raw, key, default)
        if per not in info.per:
            allowed = " or ".join(f"'per: {p}'" for p in info.per) or "no 'per' at all"
            raise InputError(
                f"cannot be expanded per {per}", key=f"{key}.per", value=per, remedy=f"it allows {allowed}"
            )
        members = self.members[per]
        if not members:
            raise InputError(
                f"there is no {per} in the data to expand to",
                key=f"{key}.per",
                value=per,
                remedy="take 'per' out",
            )
        one = {k: v for k, v in raw.items() if k != "per"}
        scalar = scalar_type(annotation)
        return {
            m: self.parameter(scalar, _single(info), one, f"{key}.{m}", _member(default, m)) for m in members
        }

    def parameter(
        self, annotation: Any, info: OptionInfo, raw: dict[str, Any], key: str, default: Any = None
    ) -> Any:
        item = list_item(annotation)
        parameter: Parameter
        if "choices" in raw:
            parameter = self._choice(raw, info, key)
        elif (
            item is not None
            and submodel(item) is None
            and not {"min", "max"} & set(raw)
            and info.choices is None
        ):
            raise InputError(
                "is a list: say which elements are searched",
                key=key,
                value=raw,
                remedy="write the list with a hyperparameter for each element, or {choices: [[...], [...]]}",
            )
        else:
            parameter = self._range(annotation, info, raw, key)
        self.parameters.append(replace(parameter, default=None if default is PydanticUndefined else default))
        return Slot(parameter.name)

    def _choice(self, raw: dict[str, Any], info: OptionInfo, key: str) -> Choice:
        choices = raw["choices"]
        if {"min", "max", "log"} & set(raw):
            raise InputError(
                "takes either choices or min and max", key=key, value=raw, remedy="take one of them out"
            )
        if not isinstance(choices, list) or not choices:
            raise InputError(
                "must be a list of at least one value",
                key=f"{key}.choices",
                value=choices,
                remedy="write {choices: [first, second]}",
            )
        if any(choices[i] in choices[:i] for i in range(len(choices))):
            raise InputError(
                "names a value twice", key=f"{key}.choices", value=choices, remedy="name each value once"
            )
        return Choice(key, tuple(choices), info.stage)

    def _range(self, annotation: Any, info: OptionInfo, raw: dict[str, Any], key: str) -> Parameter:
        kind = scalar_type(annotation)
        declared = info.tune
        if "min" not in raw and "max" not in raw:
            if raw.get("tune") is not True:
                raise InputError(
                    "is no hyperparameter", key=key, value=raw, remedy="write {min: ..., max: ...} or tune"
                )
            if info.choices is not None:
                return Choice(key, info.choices, info.stage)
            if kind is bool:
                return Choice(key, (False, True), info.stage)
            if declared is None:
                why = (
                    "larger is more accurate but costs more, so it is searched only in a range that you give"
                    if info.converges
                    else ("it has no declared range")
                )
                raise InputError(
                    "cannot be set to 'tune': " + why, key=key, remedy="write {min: ..., max: ...}"
                )
        if kind not in (int, float) and not _is_numeric_union(kind):
            name = getattr(kind, "__name__", str(kind))
            raise InputError(f"is not a number ({name})", key=key, value=raw, remedy="write {choices: [...]}")
        declared = declared or Range(math.nan, math.nan, False)
        low = _number(raw["min"], f"{key}.min") if "min" in raw else declared.min
        high = _number(raw["max"], f"{key}.max") if "max" in raw else declared.max
        log = raw.get("log", declared.log)
        if not isinstance(log, bool):
            raise InputError(
                "must be true or false",
                key=f"{key}.log",
                value=log,
                remedy="log: true searches on a logarithmic scale",
            )
        for end, value in (("min", low), ("max", high)):
            if math.isnan(value):
                raise InputError(
                    f"needs '{end}': there is no declared range to take it from",
                    key=f"{key}.{end}",
                    remedy="write {min: ..., max: ...}",
                )
        if low >= high:
            raise InputError(
                f"min {low:g} must be less than max {high:g}",
                key=key,
                value=raw,
                remedy="exchange or change them",
            )
        if log and low <= 0:
            raise InputError(
                "a logarithmic range must be positive",
                key=f"{key}.min",
                value=low,
                remedy="raise min above 0, or write log: false",
            )
        if kind is int:
            for end, value in (("min", low), ("max", high)):
                if value != int(value):
                    raise InputError(
                        "must be an integer", key=f"{key}.{end}", value=value, remedy=f"write {round(value)}"
                    )
            return Int(key, int(low), int(high), log, info.stage)
        return Float(key, low, high, log, info.stage)


def _is_numeric_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and set(get_args(kind)) <= {int, float}


def _is_spec(raw: dict[Any, Any]) -> bool:
    return bool(raw) and bool({"tune", "min", "max", "choices"} & set(raw))


def _has_spec(raw: Any) -> bool:
    if raw == "tune" or (isinstance(raw, dict) and _is_spec(raw)):
        return True
    children = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    return any(_has_spec(child) for child in children)


def _member(default: Any, member: str | int) -> Any:
    """The default of one group, element or list item."""
    if isinstance(default, dict):
        return default.get(member)
    if isinstance(default, list | tuple):
        return default[member] if isinstance(member, int) and member < len(default) else None
    return default


def _single(info: OptionInfo) -> OptionInfo:
    """The declaration of one member of an expanded option."""
    return OptionInfo(
        unit=info.unit, tune=info.tune, choices=info.choices, stage=info.stage, converges=info.converges
    )


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(
            "must be a number", key=key, value=value, remedy="write the number alone, without unit"
        )
    if not math.isfinite(value):
        raise InputError("must be finite", key=key, value=value, remedy="write a number")
    return float(value)


def _check_ends(model: type[BaseModel], space: Space) -> None:
    """Validate both ends of every range and every choice before hours are spent."""
    middle = space.from_unit([0.5] * len(space))
    validate_options(model, space.options(middle))
    for parameter in space:
        tests = parameter.choices if isinstance(parameter, Choice) else (parameter.low, parameter.high)
        for value in tests:
            try:
                validate_options(model, space.options({**middle, parameter.name: value}))
            except InputError as error:
                raise InputError(
                    f"its range holds a value that is not allowed: {error.message}",
                    key=parameter.name,
                    value=value,
                    remedy=error.remedy or "narrow the range",
                ) from error
