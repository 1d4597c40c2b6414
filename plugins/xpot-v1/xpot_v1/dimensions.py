"""Expressions of scikit-optimize in the texts of an input."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xpot_core.api import InputError

_EXPRESSION = re.compile(r"(?:skopt\.)?(?:space\.)?\b(Real|Integer|Categorical)\((\[.*?\][^()]*|[^()]*)\)")


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter of an old input.

    Attributes
    ----------
    place
        Keys that lead to it, as in the head of ``parameters.csv``.
    values
        The ends of a range, or the choices.
    choice
        Whether these are choices.
    log
        Whether it is searched on a log scale.
    whole
        Whether its values are whole numbers.
    """

    place: tuple[str, ...]
    values: tuple[Any, ...]
    choice: bool = False
    log: bool = False
    whole: bool = False

    def between(self, part: float) -> Any:
        """A value inside, at a part of the way from one end to the other; the first of choices."""
        if self.choice:
            return self.values[0]
        low, high = self.values
        value = low + part * (high - low)
        return round(value) if self.whole else value


def find(tree: Any, place: tuple[str, ...] = ()) -> list[Dimension]:
    """Every expression in an input, in its order."""
    if isinstance(tree, dict):
        return [d for key, value in tree.items() for d in find(value, (*place, str(key)))]
    if isinstance(tree, list):
        return [d for i, value in enumerate(tree) for d in find(value, (*place, str(i)))]
    if not isinstance(tree, str):
        return []
    found = _EXPRESSION.findall(tree)
    if len(found) == 1 and _EXPRESSION.fullmatch(tree.strip()):
        return [_dimension(found[0], place)]
    # several in one text: a line of a group, whose columns are numbered
    words = _EXPRESSION.sub("?", tree).split()
    columns = [i for i, word in enumerate(words) if word == "?"]
    return [_dimension(one, (*place, str(i))) for one, i in zip(found, columns, strict=True)]


def fill(tree: Any, next_value: Callable[[], Any]) -> Any:
    """The input with a value for every expression, in the order of `find`."""
    if isinstance(tree, dict):
        return {key: fill(value, next_value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [fill(value, next_value) for value in tree]
    if not isinstance(tree, str):
        return tree
    if _EXPRESSION.fullmatch(tree.strip()):
        return next_value()
    return _EXPRESSION.sub(lambda _: str(next_value()), tree)


def _dimension(found: tuple[str, str], place: tuple[str, ...]) -> Dimension:
    kind, arguments = found
    text = f"{kind}({arguments})"
    try:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        given = [ast.literal_eval(a) for a in call.args]
        named = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        if kind == "Categorical":
            choices = tuple(named.get("categories", given[0] if given else ()))
            return Dimension(place, choices, choice=True)
        named = dict(zip(("low", "high", "prior"), given, strict=False)) | named
        whole = kind == "Integer"
        ends = tuple(int(v) if whole else float(v) for v in (named["low"], named["high"]))
    except (SyntaxError, ValueError, TypeError, KeyError, AssertionError) as error:
        raise InputError(
            f"is no dimension of scikit-optimize: {error}", key=" ".join(place), value=text
        ) from error
    if not ends[0] < ends[1]:
        raise InputError("must end above its beginning", key=" ".join(place), value=text)
    return Dimension(place, ends, log=named.get("prior") == "log-uniform", whole=whole)
