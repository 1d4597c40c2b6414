"""The study file: read safely, validated, every fault with file, line, key and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from xpot_core.errors import InputError
from xpot_core.options import OptionsModel, option
from xpot_core.validation import input_error

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
M = TypeVar("M", bound=BaseModel)


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _duration(value: Any) -> Any:
    """Seconds from ``90``, ``30s``, ``15min``, ``2h``, ``1d`` or ``1h 30min``."""
    if not isinstance(value, str):
        return value
    units = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", value.strip().lower())
    rebuilt = "".join(n + u for n, u in parts)
    if (
        not parts
        or rebuilt != re.sub(r"\s", "", value.lower())
        or any(u and u not in units for _, u in parts)
    ):
        raise ValueError("must be a time such as 90s, 15min, 2h")
    return sum(float(n) * units[u or "s"] for n, u in parts)


def _memory(value: Any) -> Any:
    """Bytes from a number or ``500MB``, ``4GB``, ``4GiB``."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9.]+)\s*([KMGT]?)(i?)B?", value.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("must be an amount of memory such as 500MB or 4GB")
    power = " KMGT".index(match[2].upper()) if match[2] else 0
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def _provider_block(value: Any) -> Any:
    """``name`` or ``{name: options}`` -> ``{name: options}`` with exactly one name."""
    if isinstance(value, str):
        return {value: {}}
    if not isinstance(value, dict) or len(value) != 1:
        found = f"; it has {', '.join(map(str, value))}" if isinstance(value, dict) and value else ""
        raise ValueError(f"must be one name, or {{name: {{options}}}}{found}")
    name, options = next(iter(value.items()))
    return {str(name): {} if options is None else options}


def _provider_blocks(value: Any) -> Any:
    return [_provider_block(v) for v in (value if isinstance(value, list) else [value])]


# The JSON schema must admit what people write, not only what it becomes.
OneOrMany = BeforeValidator(_one_or_many, json_schema_input_type=str | list[str] | None)
Paths = Annotated[list[str], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])]
Duration = Annotated[float, BeforeValidator(_duration, json_schema_input_type=str | float), Field(gt=0)]
Memory = Annotated[int, BeforeValidator(_memory, json_schema_input_type=str | int), Field(gt=0)]
ProviderBlock = Annotated[dict[str, Any], BeforeValidator(_provider_block)]
ProviderBlocks = Annotated[list[dict[str, Any]], BeforeValidator(_provider_blocks)]


class Keys(OptionsModel):
    """Names under which the files hold the reference values."""

    energy: str = option("REF_energy", "Key of the total energy in the info of each frame.", unit="eV")
    forces: str | None = option(
        "REF_forces",
        "Key of the forces in the arrays of each frame; null for data without forces.",
        unit="eV/Å",
    )
    virial: str | None = option(
        "REF_virial", "Key of the virial: nine numbers, positive under compression.", unit="eV"
    )
    stress: str | None = option(
        None, "Key of the stress in ASE's sign and units, used where a frame has no virial.", unit="eV/Å^3"
    )


class Validation(OptionsModel):
    """How the validation set is made; exactly one of `kfold`, `fraction` and `file`."""

    kfold: int | None = option(None, "Number of folds of a cross-validation.", ge=2)
    fraction: float | None = option(None, "Part of the training frames that is held out.", gt=0, lt=1)
    file: Annotated[list[str] | None, OneOrMany] = option(
        None, "File or files with an external validation set."
    )
    seed: int = option(1, "Seed of the random split.", ge=0)
    stratify: bool = option(True, "Spread every group evenly over the folds.")
    keep_together: str | None = option(
        None, "Frames with the same value of this info key stay in one fold (e.g. one trajectory)."
    )


def _validation(value: Any) -> Any:
    return {"file": value} if isinstance(value, str | list) else value


class DataConfig(OptionsModel):
    """The data of a study."""

    train: Paths = option(description="Training file or files: anything that ase.io.read reads.")
    validation: Annotated[
        Validation, BeforeValidator(_validation, json_schema_input_type=str | list[str] | Validation)
    ] = option(
        lambda: Validation(kfold=5),
        "Validation set: {kfold: 5}, {fraction: 0.1} or a file; with seed, stratify, keep_together.",
    )
    test: Annotated[list[str] | None, OneOrMany] = option(
        None, "Test file or files: never seen by the search, evaluated once at the end."
    )
    keys: Keys = option(Keys, "Names under which the files hold the reference values.")
    group_by: str = option("config_type", "Info key that names the group of a frame.")
    isolated_atoms: str = option(
        "isolated_atom", "Group of the single atoms that give the reference energies."
    )
    reference_energies: dict[str, float] = option(
        dict, "Energy of the isolated atom by element; overrides isolated atoms in the data.", unit="eV"
    )
    duplicates: Literal["error", "warn"] = option(
        "warn", "What happens when identical structures stand in the training set or in two sets."
    )


class Budget(OptionsModel):
    """When the search ends."""

    trials: int = option(50, "Number of finished trials, failed ones included.", ge=1)
    time: Duration | None = option(None, "Wall time of one `xpot run`, e.g. 2h.", unit="s")
    failures: int = option(10, "Stop after this many failures in a row with the same message.", ge=1)


class LimitsConfig(OptionsModel):
    """What one trial may use."""

    time: Duration | None = option(None, "Longest time of one trial, e.g. 10min.", unit="s")
    memory: Memory | None = option(None, "Most memory of one trial, e.g. 4GB.", unit="bytes")


class StudyConfig(OptionsModel):
    """A study file."""

    study: str = option(description="Name of the study: the folder of its results.")
    data: DataConfig = option(description="Training, validation and test data.")
    fitter: ProviderBlock = option(description="Fitting framework and its options.")
    predictor: ProviderBlock | None = option(
        None, "What evaluates the potential; by default the first that reads the fitter's format."
    )
    loss: ProviderBlock = option(lambda: {"energy-force": {}}, "What is minimised.")
    optimizer: ProviderBlock = option(lambda: {"sobol": {}}, "What proposes the next trial.")
    start_with: list[Literal["defaults"] | dict[str, Any]] = option(
        lambda: ["defaults"],
        "Points that are tried first: defaults (the fitter's own), or {name: value} with the other "
        "hyperparameters at their defaults. An empty list leaves the start to the optimizer.",
    )
    budget: Budget = option(Budget, "When the search ends.")
    limits: LimitsConfig = option(LimitsConfig, "What one trial may use.")
    executor: ProviderBlock = option(lambda: {"serial": {}}, "Where trials run.")
    validate_with: ProviderBlocks = option(list, "Physical tests of the best potential.", alias="validate")
    plugins: Paths = option(list, "Python files with plugins of your own.")
    seed: int = option(0, "Seed of everything random in the study.", ge=0)

    def name_of(self, block: str) -> str:
        """Name of the provider in a block."""
        return str(next(iter(getattr(self, block))))


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
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float):
            raise InputError("a key must be text", line=key_node.start_mark.line + 1, key=str(key))
        if str(key) in result:
            raise InputError("stands twice", line=key_node.start_mark.line + 1, key=str(key))
        result[str(key)] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_yaml(text: str) -> Any:
    """Safe YAML to plain data; faults are `InputError`s with a line."""
    try:
        return yaml.load(text, Loader=_Loader)  # derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise InputError(f"is not valid YAML: {error.problem or error.context}", line=line) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"is not valid YAML: {error}") from error


def line_of(text: str, key: str | None) -> int | None:
    """Line (from 1) of a dotted key, or of the deepest part of it that stands in the text."""
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

    def resolve(self, name: str) -> Path:
        """A path of the study file as an absolute one."""
        path = Path(name).expanduser()
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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError("study file does not exist", file=path, remedy="xpot init writes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", file=path) from error
    try:
        raw = parse_yaml(text)
        if not isinstance(raw, dict):
            raise InputError("must be a mapping: study, data, fitter, ...", remedy="xpot init writes one")
        raw = apply_overrides(raw, overrides)
        config = _validated(raw)
    except InputError as error:
        line = error.line or line_of(text, error.key)
        raise error.at(file=path, line=line) from error
    return StudyFile(config, raw, path, (base or path.parent).resolve(), text)


def study_from_dict(raw: Mapping[str, Any], base: str | Path = ".") -> StudyFile:
    """Validate a study given as plain data; relative paths start from `base`."""
    return StudyFile(_validated(raw), dict(raw), None, Path(base).resolve())


def _validated(raw: Mapping[str, Any]) -> StudyConfig:
    try:
        config = StudyConfig.model_validate(raw)
    except ValidationError as error:
        raise input_error(error, StudyConfig) from error
    if not _NAME.fullmatch(config.study):
        raise InputError(
            "must be a plain name", key="study", value=config.study, remedy="use letters, digits, . _ and -"
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
    return config


def apply_overrides(raw: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Set dotted keys in plain data; list items by their number."""
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise InputError("must be key.path=value", key="--set", value=override)
        node: Any = raw
        parts = key.strip().split(".")
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            if isinstance(node, list):
                if not part.isdigit() or int(part) >= len(node):
                    raise InputError("no such list item", key=".".join(parts[: i + 1]), value=override)
                part = int(part)  # type: ignore[assignment]
            elif not isinstance(node, dict):
                raise InputError("is not a mapping, nothing can be set in it", key=".".join(parts[:i]))
            if last:
                node[part] = parse_yaml(value)
            else:
                if isinstance(node, dict) and not isinstance(node.get(part), dict | list):
                    # ``fitter: snap`` becomes ``fitter: {snap: {...}}`` when something is set in it.
                    node[part] = {node[part]: {}} if isinstance(node.get(part), str) else {}
                node = node[part]
    return raw
