"""The search space: hyperparameters, and the options tree that their values are put into."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Float:
    """A real hyperparameter, searched on a linear or logarithmic scale."""

    name: str
    low: float
    high: float
    log: bool = False
    stage: str | None = None
    default: Any = field(default=None, compare=False)

    def from_unit(self, u: float) -> float:
        """Map [0, 1] to the range."""
        if u <= 0 or u >= 1:  # the ends exactly, whatever rounding makes of a logarithm
            return float(self.low if u <= 0 else self.high)
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        return float(min(max(value, self.low), self.high))

    def to_unit(self, value: Any) -> float:
        """Map a value to [0, 1]; outside of it where the value is outside of the range."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (float(value) - self.low) / (self.high - self.low)

    def contains(self, value: Any) -> bool:
        """Whether a value lies in the range."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Int:
    """An integer hyperparameter; both ends are included."""

    name: str
    low: int
    high: int
    log: bool = False
    stage: str | None = None
    default: Any = field(default=None, compare=False)

    def _edges(self) -> tuple[float, float]:
        # Half a unit on both sides gives each integer its own share of the unit interval.
        low, high = self.low - 0.5, self.high + 0.5
        return (math.log(low), math.log(high)) if self.log else (low, high)

    def from_unit(self, u: float) -> int:
        """Map [0, 1] to an integer of the range."""
        low, high = self._edges()
        value = low + u * (high - low)
        return int(min(max(round(math.exp(value) if self.log else value), self.low), self.high))

    def to_unit(self, value: Any) -> float:
        """Map a value to [0, 1]."""
        low, high = self._edges()
        return ((math.log(value) if self.log else float(value)) - low) / (high - low)

    def contains(self, value: Any) -> bool:
        """Whether a value is an integer of the range."""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """A hyperparameter that takes one of several values, lists included."""

    name: str
    choices: tuple[Any, ...]
    stage: str | None = None
    default: Any = field(default=None, compare=False)

    def from_unit(self, u: float) -> Any:
        """Map [0, 1] to a choice, each with an equal share."""
        return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]

    def to_unit(self, value: Any) -> float:
        """Map a choice to the middle of its share."""
        return (self.index(value) + 0.5) / len(self.choices)

    def index(self, value: Any) -> int:
        """Position of a value among the choices (lists compare by content)."""
        for i, choice in enumerate(self.choices):
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return i
        raise ValueError(f"{value!r} is not one of {list(self.choices)!r}")

    def contains(self, value: Any) -> bool:
        """Whether a value is one of the choices."""
        try:
            self.index(value)
        except ValueError:
            return False
        return True


Parameter = Float | Int | Choice


def range_text(parameter: Parameter) -> str:
    """The range of a hyperparameter as a reader wants it."""
    if isinstance(parameter, Choice):
        return "one of " + ", ".join(map(str, parameter.choices))
    return f"{parameter.low:g} to {parameter.high:g}{' (log)' if parameter.log else ''}"


@dataclass(frozen=True)
class Slot:
    """Marks the place of a hyperparameter in the options tree."""

    name: str


def fill(node: Any, values: Mapping[str, Any]) -> Any:
    """An options tree with every slot replaced by its value."""
    if isinstance(node, Slot):
        return values[node.name]
    if isinstance(node, dict):
        return {k: fill(v, values) for k, v in node.items()}
    if isinstance(node, list):
        return [fill(v, values) for v in node]
    return node


@dataclass(frozen=True)
class Space:
    """Named hyperparameters and the tree of options with places for their values.

    Attributes
    ----------
    parameters
        In the order of the study file.
    template
        The options as plain data, hyperparameters replaced by slots.
    """

    parameters: tuple[Parameter, ...]
    template: Any = None

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hyperparameters: dotted paths into the options."""
        return tuple(p.name for p in self.parameters)

    def options(self, values: Mapping[str, Any]) -> Any:
        """The options tree with every slot filled.

        Raises
        ------
        KeyError
            If a hyperparameter has no value: nothing may stay at a default unnoticed.
        """
        unknown = set(values) - set(self.names)
        if unknown:
            raise KeyError(f"not hyperparameters of this space: {sorted(unknown)}")
        return fill(self.template, values)

    def from_unit(self, point: Sequence[float]) -> dict[str, Any]:
        """Values at a point of the unit cube."""
        return {p.name: p.from_unit(float(u)) for p, u in zip(self.parameters, point, strict=True)}

    def to_unit(self, values: Mapping[str, Any]) -> np.ndarray:
        """Point of the unit cube, shape (n_parameters,)."""
        return np.array([p.to_unit(values[p.name]) for p in self.parameters])

    def contains(self, values: Mapping[str, Any]) -> bool:
        """Whether the values are complete and within the ranges."""
        return set(values) == set(self.names) and all(p.contains(values[p.name]) for p in self.parameters)

    def defaults(self) -> dict[str, Any]:
        """The fitter's own default of every hyperparameter; the middle of a range that excludes it."""
        return {p.name: p.default if p.contains(p.default) else p.from_unit(0.5) for p in self.parameters}

    def only(self, names: Collection[str]) -> Space:
        """The same options with some of the hyperparameters only: what one level of a nested search moves."""
        return Space(tuple(p for p in self.parameters if p.name in names), self.template)
