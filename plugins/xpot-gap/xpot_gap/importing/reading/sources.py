"""Where a command of gap_fit stands: in a text, a script, a file of settings, a potential or a dictionary."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from xpot_core.api import Findings, InputError
from xpot_gap.importing.reading.dictionaries import KINDS, is_fit, settings_of
from xpot_gap.importing.reading.grammar import arguments_line, file_line, read_line
from xpot_gap.importing.reading.shell import Command, first_command

_CONFIG_FILE = "config_file"
_LARGEST = 200_000_000
_COMMAND_LINE = re.compile(r"<command_line>\s*(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?\s*</command_line>", re.DOTALL)
_OF_A_FIT = re.compile(
    r"(?:at_file|atoms_filename|default_sigma|default_kernel_regularisation)\s*=", re.IGNORECASE
)


def read_source(source: str, findings: Findings) -> dict[str, str]:
    """Settings of gap_fit, key -> value, of a file or a text."""
    path = as_file(source)
    if path is None:
        return _from_command(first_command(source, findings, script=False), Path(), findings)
    text = _text(path)
    try:
        if "<command_line>" in text:
            return _from_potential(text, path)
        arguments = _dictionary(text, path)
        if arguments is not None:
            return settings_of(arguments)
        if _is_script(text):
            return _from_command(first_command(text, findings, script=True), path.parent, findings)
        return read_line(file_line(text))
    except InputError as error:
        raise error.at(file=path) from error


def recognises(source: str) -> bool:
    """Whether a source is a fit by gap_fit: a text, or a file, that names data and descriptors."""
    path = as_file(source)
    if path is None:
        return _is_command(source)
    try:
        text = _text(path)
        if "<command_line>" in text:
            return "<GAP_params" in text
        if not any(name in text for name in ("gap", *KINDS)):
            return False  # large files of data are not parsed
        arguments = _dictionary(text, path)
    except InputError:
        return False
    if arguments is None:
        return _is_command(text)
    return is_fit(arguments)


def as_file(source: str) -> Path | None:
    """The file that a source names; None if it is a text."""
    try:
        path = Path(source).expanduser()
        return path if source and path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _is_command(text: str) -> bool:
    return "gap" in text and (_OF_A_FIT.search(text) is not None or f"gap_fit {_CONFIG_FILE}=" in text)


def _is_script(text: str) -> bool:
    uncommented = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("#"))
    return text.startswith("#!") or re.search(r"(^|[\s/'\"])gap_fit\S*\s", uncommented) is not None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError("is too large for an input of gap_fit", file=path)
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error}", file=path) from error
    if b"\0" in content:
        raise InputError("is no text", file=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # of a comment or a name: gap_fit's own words are ASCII
    return text.replace("\r\n", "\n")


def _from_command(command: Command, folder: Path, findings: Findings) -> dict[str, str]:
    """gap_fit reads nothing but the file where it is given one."""
    settings = read_line(arguments_line(command.arguments))
    if _CONFIG_FILE not in settings:
        return settings
    name = settings.pop(_CONFIG_FILE)
    if settings:
        findings.note(f"gap_fit takes nothing but {_CONFIG_FILE}: without effect are {', '.join(settings)}.")
    if name in command.files:
        return read_line(file_line(command.files[name]))
    path = Path(name) if Path(name).is_file() else folder / name
    if not path.is_file():
        raise InputError("no such file", key=_CONFIG_FILE, value=name)
    return read_line(file_line(_text(path)))


def _from_potential(text: str, path: Path) -> dict[str, str]:
    match = _COMMAND_LINE.search(text)
    if match is None or not match[1].strip():
        raise InputError("the potential does not show the command that made it", file=path)
    line = match[1].strip()
    return read_line(line.removeprefix("gap_fit ") if line.startswith("gap_fit ") else line)


def _dictionary(text: str, path: Path) -> Mapping[str, Any] | None:
    """A dictionary in JSON or YAML; None if the file holds something else."""
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        return None
    try:
        found = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"cannot be read: {error}", file=path) from error
    if isinstance(found, list):
        found = {"_gap": found}
    if not isinstance(found, Mapping):
        raise InputError("holds no dictionary", file=path)
    return found
