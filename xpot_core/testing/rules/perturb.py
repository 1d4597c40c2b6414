"""Every option of a model with another value for it: what proves that options reach the backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from xpot_core.errors import InputError
from xpot_core.options.declare import OptionInfo, list_item, option_info, scalar_type, strip_none


@dataclass(frozen=True)
class Leaf:
    """One tunable option as it is in a set of options.

    Attributes
    ----------
    path
        Keys and list indices from the root.
    value
        What it is now.
    annotation
        Type of one value.
    """

    path: tuple[str | int, ...]
    value: Any
    annotation: Any
    info: OptionInfo

    @property
    def name(self) -> str:
        """Dotted path, as hyperparameters are named."""
        return ".".join(map(str, self.path))


def leaves(options: BaseModel, path: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """Every tunable option that is in use: nested models, lists and elements of lists included."""
    for name, field in type(options).model_fields.items():
        info, value, here = option_info(field), getattr(options, name), (*path, name)
        item = list_item(field.annotation)
        if isinstance(value, BaseModel):
            yield from leaves(value, here)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], BaseModel):
            for i, one in enumerate(value):
                yield from leaves(one, (*here, i))
        elif not info.tunable or (value is None and info.tune is None and info.choices is None):
            continue
        elif isinstance(value, list | tuple) and item is not None:
            for i, one in enumerate(value):
                yield Leaf((*here, i), one, item, info)
        elif not isinstance(value, dict):
            yield Leaf(here, value, scalar_type(field.annotation), info)


def other_value(leaf: Leaf, allowed: Callable[[Any], bool]) -> Any:
    """Another value that the model accepts.

    Raises
    ------
    LookupError
        If none can be thought of.
    """
    for candidate in _candidates(leaf):
        if candidate != leaf.value and allowed(candidate):
            return candidate
    raise LookupError(f"no other value of '{leaf.name}' = {leaf.value!r} is known: give one in other_values")


def _candidates(leaf: Leaf) -> Iterator[Any]:
    info, value = leaf.info, leaf.value
    kind = strip_none(leaf.annotation)
    if info.choices is not None:
        yield from info.choices
    if kind is bool or isinstance(value, bool):
        yield not value
    elif get_origin(kind) is Literal:
        yield from get_args(kind)
    elif kind is int or isinstance(value, int):
        yield from (value + 1, value - 1) if isinstance(value, int) else ()
        if info.tune is not None:
            yield from (round(info.tune.min), round(info.tune.max))
    elif kind is float or isinstance(value, float):
        if info.tune is not None:
            low, high = info.tune.min, info.tune.max
            points = [
                math.exp(math.log(low) + u * math.log(high / low))
                if info.tune.log
                else low + u * (high - low)
                for u in (0.4, 0.7)
            ]
            yield from sorted(points, key=lambda x: -abs(x - (value or 0.0)))
        if isinstance(value, float | int):
            yield from (value * 1.2, value * 0.8, value + 0.1, value - 0.1)


def put(raw: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Set a value inside of nested mappings and lists."""
    for key in path[:-1]:
        raw = raw[key]
    raw[path[-1]] = value


def as_search(base: Any, other: Any) -> Any:
    """The entry of a study file that searches between two values."""
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (base, other))
    if numbers:
        return {"min": min(base, other), "max": max(base, other), "log": False}
    return {"choices": [base, other]}


def accepts(test: Callable[[Any], object]) -> Callable[[Any], bool]:
    """Whether a value raises no `InputError`."""

    def allowed(value: Any) -> bool:
        try:
            test(value)
        except InputError:
            return False
        return True

    return allowed
