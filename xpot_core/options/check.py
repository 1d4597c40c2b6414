"""Options checked against their declarations; pydantic's errors in our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from xpot_core.errors import InputError, nearest
from xpot_core.options.declare import list_item, option_info, submodel


def validate_options(model: type[BaseModel], options: Any) -> BaseModel:
    """Validate plain data against an options model, pydantic's errors made ours."""
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise input_error(error, model) from error


def check_groups(model: type[BaseModel], options: Mapping[str, Any], groups: Sequence[str], key: str) -> None:
    """Refuse groups that no frame belongs to in the options that may be given per group.

    Raises
    ------
    InputError
        Its key starts with `key`.
    """
    for name, field in model.model_fields.items():
        value = options.get(name)
        if "group" in option_info(field).per and isinstance(value, dict):
            for group in value:
                if group not in groups:
                    raise InputError(
                        "is no group of the data", key=f"{key}.{name}.{group}", remedy=nearest(group, groups)
                    )


def input_error(error: ValidationError, model: type[BaseModel]) -> InputError:
    """The first fault of a pydantic error with its key, value and what to write instead."""
    faults = error.errors()
    first = faults[0]
    if first["type"] == "missing":
        # Of a missing key and an unknown one beside it, the unknown one says what to mend.
        place = first["loc"][:-1]
        unknown = (f for f in faults if f["type"] == "extra_forbidden" and f["loc"][:-1] == place)
        first = next(unknown, first)
    location = [str(part) for part in first["loc"]]
    # Members of a union add their own name to the location (``float``, ``dict[str,float]``);
    # it is no key of the user's file.
    key = ".".join(p for p in location if "[" not in p and p not in {"float", "int", "str", "bool"})
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    owner, field = _declared(model, location)
    if first["type"] == "extra_forbidden":
        known = [f.alias or n for n, f in owner.model_fields.items()] if owner else []
        return InputError("unknown key", key=key, remedy=nearest(location[-1], known))
    if first["type"] == "missing":
        return InputError("required key is missing", key=key, remedy=_meaning(field))
    return InputError(message, key=key or None, value=first.get("input"), remedy=_meaning(field))


def _declared(model: type[BaseModel], location: list[str]) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The innermost model and field that a location leads to."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for part in location:
        if owner is None:
            break
        by_key = {f.alias or n: f for n, f in owner.model_fields.items()}
        if part not in by_key:
            continue
        field = by_key[part]
        inner = submodel(field.annotation) or submodel(list_item(field.annotation))
        if part != location[-1] and inner is not None:
            owner = inner
    return owner, field


def _meaning(field: FieldInfo | None) -> str | None:
    """What belongs into an option, from its declaration."""
    if field is None or not field.description:
        return None
    info = option_info(field)
    default = field.get_default(call_default_factory=True)
    facts = [f"in {info.unit}"] if info.unit else []
    if isinstance(default, int | float | str):
        facts.append(f"default {default}")
    return f"it is: {field.description}" + (f" ({', '.join(facts)})" if facts else "")
