"""Options models as Markdown tables: the words of a study file for types, defaults and ranges."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from xpot_core.options.declare import OptionInfo, list_item, option_info, scalar_type, submodel
from xpot_core.study_file.read import flow_yaml


def option_tables(
    model: type[BaseModel], *, searched: bool, level: int, name: str, path: str = ""
) -> list[str]:
    """The table of a model, then those of the models nested in it."""
    head = ["option", "default", "search", "meaning"] if searched else ["option", "default", "meaning"]
    rows, nested = [], []
    for key, field in model.model_fields.items():
        info = option_info(field)
        shown = field.alias or key
        inner, is_list = inner_model(field)
        cells = [f"`{shown}`<br>{markdown(_type(field, info))}", _default(field)]
        if searched:
            cells.append("<br>".join(_search(field, info)))
        cells.append(cell(field.description or ""))
        rows.append(cells)
        if inner is not None:
            nested.append((f"{path}{shown}{'[]' if is_list else ''}", inner))
    lines = table(head, rows)
    for block, inner in nested:
        lines += [f"{'#' * level} `{block}`" + (f" of `{name}`" if name else ""), ""]
        if inner.__doc__:
            lines += [markdown(inspect.cleandoc(inner.__doc__)), ""]
        lines += option_tables(inner, searched=searched, level=level, name=name, path=f"{block}.")
    return lines


def inner_model(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """The options model inside a field, and whether the field is a list of such."""
    item = list_item(field.annotation)
    return (submodel(item), True) if item is not None else (submodel(field.annotation), False)


def _type(field: FieldInfo, info: OptionInfo) -> str:
    words = type_words(field.annotation, info)
    facts = [f"{words} [{info.unit}]" if info.unit else words, *_bounds(field)]
    return ", ".join(facts)


def _bounds(field: FieldInfo) -> Iterator[str]:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    for constraint in field.metadata:
        for name, sign in signs.items():
            bound = getattr(constraint, name, None)
            if bound is not None:
                yield f"{sign} {bound:g}"


def type_words(annotation: Any, info: OptionInfo | None = None) -> str:
    """A type in the words of a study file."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(arguments[0], info)
    if origin is Literal:
        return " or ".join(_yaml(a) for a in arguments)
    if origin in (Union, UnionType):
        expands = bool(info and info.per)
        members = [a for a in arguments if a is not NoneType and not (expands and get_origin(a) is dict)]
        return " or ".join(dict.fromkeys(type_words(a, info) for a in members))
    if annotation == dict[str, Any]:
        return "name or {name: {options}}"
    if origin is list and arguments[0] is Any:
        return "list of values"
    if origin in (list, tuple):
        item = type_words(arguments[0])
        return f"list of {item}{'s' if item in ('number', 'integer', 'block') else ''}"
    if origin is dict:
        return f"{{name: {type_words(arguments[1])}}}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "block"
    words = {float: "number", int: "integer", bool: "true or false", str: "text"}
    return words.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None:
        return "none"
    if isinstance(value, BaseModel) and not value.model_fields_set:
        return "see below"
    plain = [_plain(v) for v in value] if isinstance(value, list | tuple) else _plain(value)
    return f"`{_yaml(plain)}`"


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value


def _search(field: FieldInfo, info: OptionInfo) -> Iterator[str]:
    """How an option may be searched, what it expands over and the stage it belongs to."""
    kind = scalar_type(field.annotation)
    items = list_item(field.annotation) is not None
    choices = (False, True) if kind is bool and info.choices is None else info.choices
    if inner_model(field)[0] is not None:
        yield "inside, see below"
    elif not info.tunable:
        yield "fixed"
    elif info.tune is not None:
        scale = " (log)" if info.tune.log else ""
        yield f"*tune*{' each item' if items else ''}: {info.tune.min:g} to {info.tune.max:g}{scale}"
    elif choices is not None:
        yield f"*tune*: {' or '.join(_yaml(c) for c in choices)}"
    elif info.converges:
        yield "by range; converges"
    else:
        yield "by range or choices" if kind in (int, float) else "by choices"
    if info.per:
        yield f"per {' or '.join(info.per)}"
    if info.stage:
        yield f"stage {info.stage}"
    if info.role:
        yield f"role {info.role}"


# -- Markdown --------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    cells = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(row) + " |" for row in cells), ""]


def markdown(text: str) -> str:
    """Plain text with code in backticks as Markdown on one line per paragraph; nothing else has a meaning."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(_line(re.sub(r"\s+", " ", p)) for p in paragraphs)


def cell(text: str) -> str:
    """Text for a table: its paragraphs on one line."""
    return markdown(text).replace("\n\n", "<br>")


def _line(text: str) -> str:
    parts = re.split(r"(``[^`]+``|`[^`]+`)", text)
    parts[::2] = [re.sub(r"([\\_<>\[\]|$])", r"\\\1", p) for p in parts[::2]]
    parts[1::2] = [p.replace("|", "\\|") for p in parts[1::2]]
    return "".join(parts)


def sentence(text: str) -> str:
    """With a capital at the beginning and a full stop at the end."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "]")) else ".")


def codes(names: Iterable[str]) -> str:
    """Names as code with commas between them."""
    return ", ".join(f"`{n}`" for n in names)


def _yaml(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) or abs(value) >= 1e6 else f"{value:.1f}"
    return flow_yaml(value)
