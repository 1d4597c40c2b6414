"""The study file: read safely, validated, every fault with file, line, key and remedy."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from xpot_core.errors import InputError, file_error
from xpot_core.options import bounds
from xpot_core.options.check import input_error
from xpot_core.study_file.schema import StudyConfig, provider_block
from xpot_core.system.foreign_text import printable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
M = TypeVar("M", bound=BaseModel)
_YAML_REMEDY = (
    "look at this line and the one before: indent with spaces, 'key: value', every bracket and quote closed"
)


def read_provider_block(text: str, key: str) -> dict[str, Any]:
    """``name`` or ``name: {options}`` in YAML, as a command line gives it.

    Raises
    ------
    InputError
        If it is neither.
    """
    value = _parse_argument(text, key, text)
    remedy = "write name, or 'name: {option: value}' in quotes"
    try:
        block: dict[str, Any] = provider_block(value)
    except ValueError as error:
        raise InputError(str(error), key=key, value=text, remedy=remedy) from error
    if not isinstance(next(iter(block.values())), dict):
        raise InputError("must be name, or name: {options}", key=key, value=text, remedy=remedy)
    return block


def _parse_argument(text: str, option: str, argument: str) -> Any:
    """YAML of a command line; a fault names the option and its whole argument."""
    try:
        return parse_yaml(text)
    except InputError as error:
        raise InputError(
            error.message,
            key=option,
            value=argument,
            remedy="close every bracket and quote, and put the whole argument in quotes of the shell",
        ) from error


class _Loader(yaml.SafeLoader):
    """Safe YAML with the numbers and booleans of YAML 1.2, and duplicate keys refused.

    YAML 1.1 reads ``1.0e5`` as text and the symbol of nobelium, ``No``, as false.
    """


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float", ":timestamp"))
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    here = {id(key_node) for key_node, _ in node.value}
    # Puts what is merged (<<) first: a key that is written here takes its place.
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    written: set[str] = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line, name = key_node.start_mark.line + 1, str(key)
        if not isinstance(key, str | int | float):
            raise InputError(
                "a key must be text",
                line=line,
                key=name,
                remedy="put quotes around a key that is meant as text",
            )
        if id(key_node) in here:
            if name in written:
                raise InputError("stands twice", line=line, key=name, remedy="take one of them out")
            written.add(name)
        result[name] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    # Hundreds of digits take long to read, and nothing can hold them.
    value = loader.construct_yaml_int(node) if len(node.value) <= bounds.NUMBER_LENGTH else None
    if value is None or abs(value) > bounds.LARGEST_INTEGER:
        raise InputError(
            "is too large for a whole number",
            line=node.start_mark.line + 1,
            key=f"{node.value[:20]}...",
            remedy="write a number with a point or an exponent, such as 1.0e20, where one is meant",
        )
    return int(value)


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_yaml_str(node))
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError(
            "holds what is no character",
            line=node.start_mark.line + 1,
            key=printable(text[:40]),
            remedy="take \\0 and half characters (\\ud800 to \\udfff) out",
        )
    return text


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:str", _text)


def _check_size(root: yaml.Node) -> None:
    """Refuse texts that would grow without bound: an alias stands for all that its anchor holds."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        line = node.start_mark.line + 1
        if depth > bounds.DEPTH:
            raise InputError(f"is nested deeper than {bounds.DEPTH} levels", line=line, remedy=_YAML_REMEDY)
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in sizes:
            sizes[id(node)] = 1  # for an alias inside of its own anchor, which the loader refuses
            members = (
                node.value
                if isinstance(node, yaml.SequenceNode)
                else [n for pair in node.value for n in pair]
            )
            sizes[id(node)] = 1 + sum(size(member, depth + 1) for member in members)
        if sizes[id(node)] > bounds.VALUES:
            raise InputError(
                f"holds more than {bounds.VALUES} values, aliases counted as what they stand for",
                line=line,
                remedy="write less, or make several studies",
            )
        return sizes[id(node)]

    size(root, 0)


def parse_yaml(text: str) -> Any:
    """Safe YAML to plain data, of bounded size; faults are `InputError`s with a line."""
    if len(text) > bounds.STUDY_BYTES:
        raise InputError(f"is longer than {bounds.STUDY_BYTES} characters", remedy="write less")
    try:
        loader = _Loader(text)  # derived from SafeLoader
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check_size(root)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise InputError(
            f"is not valid YAML: {error.problem or error.context}", line=line, remedy=_YAML_REMEDY
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"is not valid YAML: {error}", remedy=_YAML_REMEDY) from error


def flow_yaml(value: Any) -> str:
    """A value as one line of YAML."""
    dumped = yaml.safe_dump(value, sort_keys=False, default_flow_style=True, width=10_000, allow_unicode=True)
    return dumped.strip().removesuffix("...").strip()


def line_of(text: str, key: str | None) -> int | None:
    """Line (from 1) of a dotted key, or of the deepest part of it that is in the text."""
    if len(text) > bounds.STUDY_BYTES:
        return None
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return None
    line, rest = None, (key or "").split(".")
    while node is not None and rest:
        if isinstance(node, yaml.SequenceNode) and rest[0].isdigit() and int(rest[0]) < len(node.value):
            node = node.value[int(rest[0])]
            line, rest = node.start_mark.line + 1, rest[1:]
        elif isinstance(node, yaml.MappingNode):
            # A key may itself hold dots (a group named ``v1.2``): the longest match wins.
            for length in range(len(rest), 0, -1):
                name = ".".join(rest[:length])
                found = [(k, v) for k, v in node.value if getattr(k, "value", None) == name]
                if found:
                    line, node, rest = found[0][0].start_mark.line + 1, found[0][1], rest[length:]
                    break
            else:
                break
        else:
            break
    return line


@dataclass(frozen=True)
class StudyFile:
    """A study file as read: where it stands, its text and what it says.

    Attributes
    ----------
    config
        The validated content.
    raw
        The same as plain data, overrides included.
    path
        The file, or None for a study made in Python.
    base
        Folder that relative paths start from.
    """

    config: StudyConfig
    raw: Mapping[str, Any]
    path: Path | None
    base: Path
    text: str = ""

    def located(self, error: InputError) -> InputError:
        """The error with file and line filled in."""
        if self.path is None or error.file is not None:
            return error
        return error.at(file=self.path, line=line_of(self.text, error.key))

    def as_run(self) -> str:
        """The text of ``study.yaml`` in a run folder: this study file with its overrides."""
        text = yaml.safe_dump(dict(self.raw), sort_keys=False, allow_unicode=True)
        return f"# As run; relative paths start from {printable(self.base)}\n{text}"

    def resolve(self, name: str) -> Path:
        """A path of the study file as an absolute one."""
        path = Path(os.path.expanduser(name))  # ~nobody stays as it is: there is no such file
        return path if path.is_absolute() else (self.base / path)


def read_study(path: str | Path, overrides: Sequence[str] = (), base: Path | None = None) -> StudyFile:
    """Read and validate a study file.

    Parameters
    ----------
    path
        YAML file.
    overrides
        ``key.path=value`` with the value in YAML, as ``--set`` takes them.
    base
        Folder of relative paths; by default that of the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:  # no more than is ever read: it may be a device that never ends
            text = stream.read(4 * bounds.STUDY_BYTES).decode("utf-8")
    except FileNotFoundError as error:
        raise InputError("study file does not exist", file=path, remedy="xpot init writes one") from error
    except OSError as error:
        raise file_error(error) or error from error
    except UnicodeDecodeError as error:
        raise InputError(f"cannot be read: {error}", file=path, remedy="save it as UTF-8 text") from error
    changes = [read_override(text) for text in overrides]
    try:
        raw = parse_yaml(text)
        if not isinstance(raw, dict):
            raise InputError("must be a mapping: study, data, fitter, ...", remedy="xpot init writes one")
        for key, value in changes:
            set_key(raw, key, value)
        config = _validated(raw)
    except InputError as error:
        line = error.line or line_of(text, error.key)
        raise error.at(file=path, line=line) from error
    return StudyFile(config, raw, path, (base or path.parent).resolve(), text)


def check_name(name: str, key: str) -> None:
    """Refuse a name of a study that is no name of a folder everywhere.

    Raises
    ------
    InputError
        With the key that gave it.
    """
    if not _NAME.fullmatch(name):
        raise InputError("must be a plain name", key=key, value=name, remedy="use letters, digits, . _ and -")


def study_from_dict(raw: Mapping[str, Any], base: str | Path = ".") -> StudyFile:
    """Validate a study given as plain data; relative paths start from `base`."""
    return StudyFile(_validated(raw), dict(raw), None, Path(base).resolve())


def _validated(raw: Mapping[str, Any]) -> StudyConfig:
    try:
        config = StudyConfig.model_validate(raw)
    except ValidationError as error:
        raise input_error(error, StudyConfig) from error
    check_name(config.study, "study")
    if math.prod(len(values) for values in config.matrix.values()) > bounds.MEMBERS:
        raise InputError(
            f"makes more than {bounds.MEMBERS} studies",
            key="matrix",
            remedy="vary fewer keys, or fewer values",
        )
    v = config.data.validation
    given = [n for n in ("kfold", "fraction", "file") if getattr(v, n) is not None]
    if len(given) != 1:
        raise InputError(
            "must say exactly one of kfold, fraction and file",
            key="data.validation",
            value=raw["data"].get("validation"),
            remedy="write validation: {kfold: 5}, {fraction: 0.1} or a file name",
        )
    if v.repeats > 1 and v.kfold is None:
        raise InputError(
            "repeats what is not there: only a cross-validation has other folds",
            key="data.validation.repeats",
            value=v.repeats,
            remedy="write validation: {kfold: 5, repeats: 2}, or leave it out",
        )
    return config


def read_override(override: str) -> tuple[str, Any]:
    """Key and value of ``key.path=value``, the value in YAML.

    Raises
    ------
    InputError
        If it is not that.
    """
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise InputError(
            "must be key.path=value", key="--set", value=override, remedy="write e.g. --set budget.trials=20"
        )
    return key.strip(), _parse_argument(value, "--set", override)


def set_key(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in plain data; list items by their number, what is missing is made.

    Raises
    ------
    InputError
        If the key leads into something that holds no keys.
    """
    node: Any = raw
    parts = key.split(".")
    for i, part in enumerate(parts):
        place: Any = part
        if isinstance(node, list):
            if not part.isdigit() or int(part) >= len(node):
                raise InputError(
                    "no such list item",
                    key=".".join(parts[: i + 1]),
                    remedy=f"use a number from 0 to {len(node) - 1}" if node else "the list is empty",
                )
            place = int(part)
        elif not isinstance(node, dict):
            raise InputError(
                "is not a mapping, nothing can be set in it",
                key=".".join(parts[:i]),
                remedy=f"set {'.'.join(parts[:i])} as a whole",
            )
        if i == len(parts) - 1:
            node[place] = value
        else:
            if isinstance(node, dict) and not isinstance(node.get(place), dict | list):
                # ``fitter: snap`` becomes ``fitter: {snap: {...}}`` when something is set in it.
                node[place] = {node[place]: {}} if isinstance(node.get(place), str) else {}
            node = node[place]
