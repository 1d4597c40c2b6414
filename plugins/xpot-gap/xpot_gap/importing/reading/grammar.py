"""How gap_fit reads its settings: System, ExtendableStr and ParamReader of QUIP in a few lines of Python."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from xpot_core.api import InputError

PIECE = 1024
"""Characters that a file is read in at once."""
_CLOSING = {"'": "'", '"': '"', "{": "}"}
# Fortran takes a repeat count before a number, d or nothing as the letter of an exponent, and reads up to a separator.
_REAL = re.compile(r"(?:\d+\*)?([+-]?(?:\d+\.?\d*|\.\d+))(?:[edq]?([+-]\d+)|[edq](\d+))?(?=[,;/]|$)")
_WHOLE = re.compile(r"(?:\d+\*)?([+-]?\d+)(?=[,;/]|$)")


def file_line(text: str) -> str:
    """A ``config_file`` as one line: pieces of 1,024 characters, trimmed at their ends."""
    whole, begins_line = "", False
    for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
        for start in range(0, len(line) + 1, PIECE):
            piece = line[start : start + PIECE].rstrip(" ")
            whole += (f" {piece}" if begins_line else piece).rstrip(" ")
            begins_line = False
        begins_line = True
    return whole


def arguments_line(arguments: Sequence[str]) -> str:
    """The arguments of a process as one line: values with blanks get quotes if they have none."""
    words = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if " " not in argument:
            words.append(argument)
        elif equals:
            words.append(argument if value[:1] in _CLOSING else f'{key}="{value}"')
        else:
            words.append(argument if argument[:1] in _CLOSING else f'"{argument}"')
    return " ".join(words)


def split_string(text: str, separators: str, quotes: str) -> list[str]:
    """Split outside of quotes, and take one level of quotes away.

    Blanks on both sides of an equals sign do not separate.
    """
    pairs = {opening: _CLOSING[opening] for opening in quotes}
    text = text.rstrip(" ")
    fields: list[str] = []
    field, inside, at = "", False, 0
    while at < len(text):
        character = text[at]
        if character in pairs:
            end = _closing(text, at + 1, pairs[character], pairs)
            field, inside, at = field + text[at + 1 : end], True, end + 1
        elif character not in separators:
            field, inside, at = field + character, True, at + 1
        elif text[at:].lstrip(separators).startswith("="):
            field, inside = f"{field}=", True
            rest = text[at:].lstrip(separators)[1:]
            at = len(text) - len(rest.lstrip(separators))
        else:
            if inside:
                fields.append(field)
            field, inside, at = "", False, at + 1
    return [*fields, field] if inside else fields


def _closing(text: str, start: int, wanted: str, pairs: Mapping[str, str]) -> int:
    """Position of the closing character that belongs to an opening one."""
    at = start
    while at < len(text):
        if text[at] == wanted:
            return at
        if text[at] in pairs:
            at = _closing(text, at + 1, pairs[text[at]], pairs)
        at += 1
    raise InputError(
        f"braces or quotes do not close: no {wanted} for what opens before '{text[start : start + 30]}'",
        value=text if len(text) < 200 else f"{text[:200]} ...",
    )


def read_line(text: str) -> dict[str, str]:
    """Key -> value of one line; a key on its own has its own name as value, as texts have."""
    settings: dict[str, str] = {}
    for field in split_string(" ".join(text.split("\n")).replace("\t", " "), " ,", "'\"{"):
        key, equals, value = field.partition("=")
        if not key:
            raise InputError(f"'{field}' is no key=value setting of gap_fit")
        settings.pop(key, None)  # of two names for the same the later one counts
        settings[key] = value if equals else key
    return settings


def read_descriptors(gap: str) -> list[dict[str, str]]:
    """The descriptors of a ``gap`` list, each as key -> value; its name is a key on its own, or one that is true."""
    return [read_line(text) for text in split_string(gap, ":;", "{")]


def fields(text: str) -> list[str]:
    """Entries of a list by config type, which colons, semicolons and blanks part."""
    return split_string(text, " :;", "{")


def is_true(value: str, key: str = "") -> bool:
    """A logical value; a key on its own is true."""
    word = value.strip().lower()
    if word in ("t", "true", ".true.", "", key.rpartition(" ")[2].lower()):
        return True
    if word in ("f", "false", ".false."):
        return False
    raise InputError("is no logical value", key=key, value=value, remedy="write T or F")


def real(text: str, key: str) -> float:
    """A number as Fortran reads it."""
    match = _REAL.match(text.strip().lower())
    if match is None:
        raise InputError("is no number", key=key, value=text, remedy="write one, e.g. 2 or 0.05")
    return float(f"{match[1]}e{match[2] or match[3] or 0}")


def whole(text: str, key: str) -> int:
    """A whole number as Fortran reads it."""
    match = _WHOLE.match(text.strip())
    if match is None:
        raise InputError("is no whole number", key=key, value=text, remedy="write one, e.g. 10")
    return int(match[1])
