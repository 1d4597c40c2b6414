"""Spaces with a finite number of points: none is tried twice, and the search ends when all were tried."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from xpot_core.space.parameters import Choice, Float, Int, Space

_MOST = 100_000
"""Points beyond which no search meets its own often enough to matter."""


def distinct(
    space: Space, proposed: Sequence[Mapping[str, Any]], tried: Iterable[Mapping[str, Any]], seed: int
) -> list[dict[str, Any]]:
    """Proposals of an optimizer, repetitions replaced by points that nobody tried; fewer when none are left.

    Parameters
    ----------
    space
        What is searched; nothing is changed where it holds a real number.
    proposed
        Values in the order of the proposals.
    tried
        Values of all trials of this study.
    seed
        Of the draw among the points left.
    """
    if not len(space) or any(isinstance(p, Float) for p in space):
        return [dict(values) for values in proposed]
    axes = [_values(p) for p in space if not isinstance(p, Float)]
    if math.prod(len(axis) for axis in axes) > _MOST:
        return [dict(values) for values in proposed]
    names = space.names
    known = {_key(values, names) for values in tried}
    found: list[dict[str, Any]] = []
    for values in proposed:
        point: dict[str, Any] | None = dict(values)
        if _key(values, names) in known:
            points = (dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*axes))
            left = [p for p in points if _key(p, names) not in known]
            draw = np.random.default_rng([seed, len(known)])
            point = left[int(draw.integers(len(left)))] if left else None
        if point is not None:
            known.add(_key(point, names))
            found.append(point)
    return found


def _values(parameter: Int | Choice) -> list[Any]:
    if isinstance(parameter, Choice):
        return list(parameter.choices)
    return (
        list(range(parameter.low, parameter.high + 1))
        if parameter.high - parameter.low < _MOST
        else [None] * _MOST
    )


def _key(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return json.dumps([values[n] for n in names], default=str)
