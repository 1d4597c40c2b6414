"""How a plugin declares its options: one declaration for validation, schema, CLI and docs."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from xpot_core.options.roles import Role

T = TypeVar("T")
PerGroup = Union[T, dict[str, T]]  # noqa: UP007 - a generic alias needs Union
"""One value, or one per group (config_type)."""
PerElement = Union[T, dict[str, T]]  # noqa: UP007
"""One value, or one per chemical element."""
PerPair = Union[T, dict[str, T]]  # noqa: UP007
"""One value, or one per pair of chemical elements, under `pair_name`."""

Expansion = Literal["group", "element", "pair"]
Stage = Literal["descriptors", "kernel", "regression"]
_KEY = "xpot"


@dataclass(frozen=True)
class Range:
    """The range that ``tune`` stands for."""

    min: float
    max: float
    log: bool = False


@dataclass(frozen=True)
class OptionInfo:
    """What XPOT knows about an option beyond its type."""

    unit: str | None = None
    tune: Range | None = None
    choices: tuple[Any, ...] | None = None
    per: tuple[Expansion, ...] = ()
    stage: Stage | None = None
    converges: bool = False
    tunable: bool = True
    path: bool = False
    needs_trust: bool = False
    role: Role | None = None


class OptionsModel(BaseModel):
    """Base of every options model: unknown keys are errors, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would turn into something else: ``true`` as 1, ``"2"`` as 2, ``yes`` as true."""
        assert info.field_name is not None
        _refuse_others(value, _plain_types(cls, info.field_name))
        return value


@functools.cache
def _plain_types(model: type[BaseModel], name: str) -> frozenset[type]:
    """Those of bool, int, float and str that an option takes; empty where it takes others, or converts them itself."""
    field = model.model_fields[name]
    if any(isinstance(m, BeforeValidator | PlainValidator) for m in field.metadata):
        return frozenset()
    found: set[Any] = set()
    rest = [field.annotation]
    while rest:
        one = rest.pop()
        arguments = get_args(one)
        if get_origin(one) is Annotated:
            if any(isinstance(m, BeforeValidator | PlainValidator) for m in arguments[1:]):
                return frozenset()
            rest.append(arguments[0])
        elif get_origin(one) is Literal:
            found |= {type(a) for a in arguments}
        elif arguments:
            rest += arguments[1:] if get_origin(one) is dict else arguments
        else:
            found.add(one)
    known = {bool, int, float, str, NoneType, Ellipsis}
    return frozenset(found) if found <= known else frozenset()


def _refuse_others(value: Any, types: frozenset[type]) -> None:
    if isinstance(value, dict | list | tuple):
        for member in value.values() if isinstance(value, dict) else value:
            _refuse_others(member, types)
        return
    number = "a number" if float in types else "an integer" if int in types else ""
    if isinstance(value, str) and types and str not in types:
        quotes = ", without quotes" if re.fullmatch(r"[-+.\deE]+", value) else ""
        raise ValueError(f"should be {number}{quotes}" if number else "should be true or false")
    if isinstance(value, bool) and bool not in types and number:
        raise ValueError(f"should be {number}, not {str(value).lower()}")


def option(
    default: Any = ...,
    description: str = "",
    *,
    unit: str | None = None,
    tune: Range | None = None,
    choices: Sequence[Any] | None = None,
    per: Expansion | Sequence[Expansion] = (),
    stage: Stage | None = None,
    converges: bool = False,
    tunable: bool = True,
    path: bool = False,
    needs_trust: bool = False,
    role: str | None = None,
    **constraints: Any,
) -> Any:
    """Declare one option of a plugin.

    Parameters
    ----------
    default
        Default value; ``...`` makes the option required; a callable makes a new one each time.
    description
        One sentence for users: it appears in ``xpot init``, the schema, the docs and errors.
    unit
        Unit of a number, ``""`` for a pure one; the role may say it.
    tune
        The range that ``tune`` in a study file stands for.
    choices
        The choices that ``tune`` stands for where the option is not a number.
    per
        ``"group"``, ``"element"`` and/or ``"pair"`` (of elements, equal ones included): the option may be given for
        each of these.
    stage
        In a staged fitter: whether the option changes the descriptors, what is made of them, or only the regression.
    converges
        Larger is more accurate but costs more: never tuned unless a range is written out.
    tunable
        False for options of a fitter that must not be searched (file names, engines); of other plugins none is.
    path
        Of a validator: a file or folder; a relative one starts from the folder of the study file.
    needs_trust
        Names a program, code, commands or a folder that is written to: a study that sets it could do harm on
        the machine of somebody else, so xpot asks before it is run for the first time.
    role
        What the option is, for the core: the text of a `Role`, e.g. ``cutoff``, ``weight:force``, ``initial-design``.
    **constraints
        Passed to `pydantic.Field` (``gt``, ``ge``, ``lt``, ``le``, ``examples`` ...).

    Raises
    ------
    PluginError
        If there is no such role, or the unit is not that of the role.
    """
    known = Role.declared(role, unit, description)
    info = OptionInfo(
        known.unit if known is not None and unit is None else unit,
        tune,
        tuple(choices) if choices is not None else None,
        (per,) if isinstance(per, str) else tuple(per),
        stage,
        converges or known in (Role.SIZE, Role.STEPS),
        tunable,
        path,
        needs_trust,
        known,
    )
    extra: dict[str, Any] = {_KEY: {k: v for k, v in asdict(info).items() if v != getattr(OptionInfo(), k)}}
    # pydantic cannot apply a bound to "one number or a mapping of numbers": we do it member by member.
    bounds = {k: constraints.pop(k) for k in tuple(constraints) if info.per and k in _BOUNDS}
    given = {"default_factory": default} if callable(default) else {"default": default}
    field = Field(**given, description=description, json_schema_extra=extra, **constraints)
    if "pair" in info.per:
        field.metadata.append(AfterValidator(_in_order))
    if bounds:
        field.metadata.append(AfterValidator(_within(bounds)))
    return field


def pair_name(first: str, second: str) -> str:
    """Two elements as an option given per pair names them: ``In-P``, in alphabetical order."""
    return "-".join(sorted((first, second)))


def pair_names(elements: Sequence[str]) -> tuple[str, ...]:
    """Every pair of elements, those of equal ones included."""
    ordered = sorted(elements)
    return tuple(pair_name(a, b) for i, a in enumerate(ordered) for b in ordered[i:])


def ordered_pairs(value: dict[str, T]) -> dict[str, T]:
    """A mapping by pairs with their elements in alphabetical order.

    Raises
    ------
    ValueError
        If it names a pair twice; its second argument is the second name.
    """
    found: dict[str, T] = {}
    for written, member in value.items():
        name = pair_name(*parts) if len(parts := str(written).split("-")) == 2 else str(written)
        if name in found:
            raise ValueError(f"names the pair {name} twice", str(written))
        found[name] = member
    return found


def _in_order(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return ordered_pairs(value)
    except ValueError as error:
        raise ValueError(error.args[0]) from error


_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "gt": (operator.gt, "greater than"),
    "ge": (operator.ge, "greater than or equal to"),
    "lt": (operator.lt, "less than"),
    "le": (operator.le, "less than or equal to"),
}


def _within(bounds: dict[str, float]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        for member in value.values() if isinstance(value, dict) else [value]:
            for name, bound in bounds.items():
                compare, words = _BOUNDS[name]
                if member is not None and not compare(member, bound):
                    raise ValueError(f"should be {words} {bound:g}")
        return value

    return check


def option_info(field: FieldInfo) -> OptionInfo:
    """Read back what `option` declared; the defaults for a plain pydantic field."""
    extra = field.json_schema_extra
    declared: dict[str, Any] = {}
    if isinstance(extra, dict) and isinstance(found := extra.get(_KEY), dict):
        declared.update(found)
    if declared.get("tune"):
        declared["tune"] = Range(**declared["tune"])
    if declared.get("role"):
        declared["role"] = Role.named(declared["role"])
    return OptionInfo(**declared)


def strip_none(annotation: Any) -> Any:
    """``X | None`` -> ``X``; anything else as it is."""
    if get_origin(annotation) in (Union, UnionType):
        members = [a for a in get_args(annotation) if a is not NoneType]
        return members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007
    return annotation


def scalar_type(annotation: Any) -> Any:
    """The type of one value of an option that may be expanded: ``PerGroup[float]`` -> ``float``."""
    bare = strip_none(annotation)
    if get_origin(bare) in (Union, UnionType):
        members = [a for a in get_args(bare) if get_origin(a) is not dict]
        return strip_none(members[0]) if len(members) == 1 else Union[tuple(members)]  # noqa: UP007
    return bare


def submodel(annotation: Any) -> type[BaseModel] | None:
    """The nested options model of an annotation, if it is one."""
    bare = strip_none(annotation)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def list_item(annotation: Any) -> Any | None:
    """The item type of a list or tuple annotation (also inside a union), else None."""
    bare = strip_none(annotation)
    candidates = get_args(bare) if get_origin(bare) in (Union, UnionType) else (bare,)
    for candidate in candidates:
        if get_origin(candidate) in (list, tuple) and get_args(candidate):
            return get_args(candidate)[0]
    return None


@dataclass(frozen=True)
class DeclaredOption:
    """One option of a model with its dotted path; list items stand as ``[]``."""

    path: str
    field: FieldInfo
    info: OptionInfo
    annotation: Any


def walk_options(model: type[BaseModel], prefix: str = "") -> Iterator[DeclaredOption]:
    """Every leaf option of a model, nested models and lists of models included."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        nested = submodel(field.annotation)
        item = list_item(field.annotation)
        item_model = submodel(item) if item is not None else None
        if nested is not None:
            yield from walk_options(nested, f"{path}.")
        elif item_model is not None:
            yield DeclaredOption(path, field, option_info(field), field.annotation)
            yield from walk_options(item_model, f"{path}.[].")
        else:
            yield DeclaredOption(path, field, option_info(field), field.annotation)


def undocumented(model: type[BaseModel]) -> list[str]:
    """Rules that a model breaks: descriptions missing, unknown keys let through, odd ranges."""
    faults = []
    if model.model_config.get("extra") != "forbid":
        faults.append(f"{model.__name__} must forbid unknown keys (derive from OptionsModel)")
    for declared in walk_options(model):
        if not declared.field.description:
            faults.append(f"option '{declared.path}' has no description")
        tune = declared.info.tune
        if tune and not (tune.min < tune.max and (not tune.log or tune.min > 0)):
            faults.append(f"option '{declared.path}' has an impossible range {tune}")
    return faults


def resolve(value: float | dict[str, float], key: str) -> float:
    """The value of an expanded option for one group, element or `pair_name`."""
    return value[key] if isinstance(value, dict) else value
