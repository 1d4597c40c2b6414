"""Ranges of an old input in the options of a study, whichever importer translates its sections.

The sections are translated with the value of one hyperparameter at a time changed: what changes in the study is where
it went, and what its ends become there are the ends of the range. So a range passes through every change
of unit and of name.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from xpot_core.api import ImportedStudy, InputError
from xpot_v1.dimensions import Dimension

Path = tuple[str | int, ...]
Translate = Callable[[Sequence[Any]], ImportedStudy]
_ABSENT = object()


class Translation:
    """A study with ranges.

    Attributes
    ----------
    study
        The study file as plain data.
    notes
        Remarks of the importer of the sections, and on hyperparameters without effect.
    lost
        What the importer of the sections cannot carry over.
    names
        Dimension -> names of hyperparameters that it became.
    """

    def __init__(self, translate: Translate, dimensions: Sequence[Dimension]) -> None:
        # values that differ from one another: what is equal by chance may be written together
        self._base = [d.between((i + 1) / (len(dimensions) + 2)) for i, d in enumerate(dimensions)]
        self._translate = translate
        base = translate(self._base)
        self.notes = list(base.notes)
        self.lost = base.lost
        self.study = copy.deepcopy(dict(base.study))
        self.names: dict[Dimension, dict[str, Callable[[Any], Any]]] = {}
        here = _leaves(base.study["fitter"])
        for i, dimension in enumerate(dimensions):
            self._place(i, dimension, here)

    def _place(self, i: int, dimension: Dimension, base: Mapping[Path, Any]) -> None:
        ends = []
        for value in dimension.values:
            values = [*self._base]
            values[i] = value
            ends.append(_leaves(self._translate(values).study["fitter"]))
        paths = {p for leaves in (base, *ends) for p in leaves}
        inner = {p[:n] for p in paths for n in range(len(p))}
        own: dict[str, Callable[[Any], Any]] = {}
        for path in sorted(paths, key=str):
            found = [_at(end, path) for end in ends]
            before = _at(base, path)
            if all(v == before for v in found) or (path in inner and _ABSENT in (before, *found)):
                continue
            if _ABSENT in (before, *found):
                raise InputError(
                    f"says whether there is a {'.'.join(map(str, path[1:]))}, which a study cannot search",
                    key=" ".join(dimension.place),
                    remedy="give it one value",
                )
            own[".".join(map(str, path[1:]))] = self._put(path, dimension, found)
        self.names[dimension] = own
        if not own:
            self.notes.append(f"{' '.join(dimension.place)} has no effect: it is not searched.")

    def _put(self, path: Path, dimension: Dimension, found: list[Any]) -> Callable[[Any], Any]:
        """Write the range; returns how a value of the old hyperparameter reads in the new one."""
        node: Any = self.study["fitter"]
        for part in path[:-1]:
            node = node[part]
            if not isinstance(node, dict | list):
                raise _lost(dimension, path)
        if isinstance(node[path[-1]], dict):
            raise InputError("is searched twice", key=" ".join(dimension.place))
        if dimension.choice:
            node[path[-1]] = {"choices": found}
            become = dict(zip(map(str, dimension.values), found, strict=True))
            return lambda value: become.get(str(value))
        low, high = found
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in found):
            raise _lost(dimension, path)
        first, last = dimension.values
        slope = (high - low) / (last - first)
        node[path[-1]] = {"min": min(found), "max": max(found), "log": dimension.log}
        if first == low and last == high:
            return lambda value: value
        return lambda value: low + slope * (float(value) - first)


def _lost(dimension: Dimension, path: Path) -> InputError:
    return InputError(
        f"becomes part of a text ({'.'.join(map(str, path))}), which a study cannot search",
        key=" ".join(dimension.place),
        remedy="give it one value",
    )


def _leaves(tree: Any) -> dict[Path, Any]:
    return dict(_walk(tree, ()))


def _walk(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from _walk(value, (*path, key))
    elif isinstance(tree, list) and tree:
        for i, value in enumerate(tree):
            yield from _walk(value, (*path, i))
    else:
        yield path, tree


def _at(leaves: Mapping[Path, Any], path: Path) -> Any:
    """A value; one that is given for all groups or elements serves each of them."""
    return leaves.get(path, leaves.get(path[:-1], _ABSENT))
