"""The command of gap_fit in what a shell reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from xpot_core.api import InputError
from xpot_gap.importing.reading.findings import Findings
from xpot_gap.importing.reading.names import ALIASES, KNOWN

_NAMES_DATA = re.compile(r"(at_file|atoms_filename|config_file|gap)=", re.IGNORECASE)
_ARGUMENTS = {name.lower() for name in (*KNOWN, *ALIASES, "config_file")}
_PROGRAM = re.compile(r"(^|/)gap_fit[^/=]*$")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")
_ARRAY = re.compile(r"""^\s*(\w+)(\+?)=\(((?:[^()'"]|'[^']*'|"[^"]*")*)\)""", re.MULTILINE)
_OF_ARRAY = re.compile(r"""(["']?)\$\{(\w+)\[[@*]\]\}\1""")
_ENDS = ";&|>"


def command_words(text: str, findings: Findings, *, script: bool) -> list[str]:
    """Arguments of the first gap_fit command of a text.

    Parameters
    ----------
    text
        A command line, or a script.
    findings
        Gets a note on further commands.
    script
        Whether a line break ends a command, as in a script; else it is a blank.
    """
    variables: dict[str, str] = {}
    found: list[list[str]] = []
    for words in _commands(_without_arrays(text) if script else text, variables, script):
        named = words[1:] if words[0] == "export" else words
        assigns = all(_ASSIGNMENT.match(word) for word in named)
        if any(_NAMES_DATA.match(word) for word in words) and not (script and assigns):
            found.append(words)
        elif assigns:
            variables |= dict(word.split("=", 1) for word in named)
    if not found:
        raise InputError("the command has no at_file= or no gap=", remedy="quote the whole gap_fit command")
    if len(found) > 1:
        findings.note(f"There are {len(found)} gap_fit commands: the first one is taken, the others are not.")
    return _arguments(found[0])


def _without_arrays(text: str) -> str:
    """Arrays of the shell, put in where they are named."""
    arrays: dict[str, str] = {}
    for name, more, words in _ARRAY.findall(text):
        lines = " ".join(re.sub(r"(^|\s)#.*", "", line) for line in words.splitlines())
        arrays[name] = f"{arrays.get(name, '') if more else ''} {lines}"
    return _OF_ARRAY.sub(lambda m: arrays.get(m[2], m[0]), _ARRAY.sub("", text))


def _arguments(words: list[str]) -> list[str]:
    """What follows the program's name, or begins with the name of an argument."""
    programs = [i for i, word in enumerate(words) if _PROGRAM.search(word)]
    named = (i for i, word in enumerate(words) if word.partition("=")[0].lower() in _ARGUMENTS)
    first = programs[-1] + 1 if programs else next(named)
    for word in words[first:]:
        if match := re.search(r"\$\{?\w+\}?|\$\(|`", word):
            raise InputError(
                f"'{match[0]}' is put in by the shell", value=word[:200], remedy="write its value instead"
            )
    return words[first:]


def _commands(text: str, variables: Mapping[str, str], script: bool) -> Iterator[list[str]]:
    """The commands of a text as words, without quotes, comments and redirections.

    Inside braces neither a line break nor another sign ends a command: documentation shows commands so.
    """
    text = text.replace("\\\n", " ")
    words: list[str] = []
    word, inside, depth, at, skip = "", False, 0, 0, False

    def put_in(part: str) -> str:
        return _VARIABLE.sub(lambda m: variables.get(m[1] or m[2], m[0] if m[3] is None else m[3]), part)

    while at < len(text):
        character = text[at]
        at += 1
        ends = depth == 0 and (character in _ENDS or (script and character == "\n"))
        if character == "#" and not inside and depth == 0 and script:
            at = at + len(text[at:].split("\n", 1)[0])
        elif character in "'\"":
            end = _end_of_quotes(text, at, character)
            part = text[at:end]
            word += part if character == "'" else put_in(re.sub(r'\\(["\\$`])', r"\1", part))
            inside, at = True, end + 1
        elif character == "\\" and at < len(text):
            word, inside, at = word + text[at], True, at + 1
        elif character == "$" and (match := _VARIABLE.match(text, at - 1)):
            # without quotes, blanks in a value part words
            first, *rest = re.split(r"\s+", put_in(match[0]))
            word, inside, at = word + first, True, match.end()
            for part in rest:
                words.append(word)
                word = part
        elif ends or character in " \t\n":
            redirected = character == ">" and word.isdigit()  # 2>&1
            if inside and not skip and not redirected:
                words.append(word)
            word, inside = "", False
            if ends:
                skip = character == ">" or (skip and character == "&" and text[at - 2] == ">")
                if not skip:
                    if words:
                        yield words
                    words = []
        else:
            depth += (character == "{") - (character == "}")
            word, inside = word + character, True
    if depth > 0:
        raise InputError("braces of the command do not close", value=text[:200])
    if inside and not skip:
        words.append(word)
    if words:
        yield words


def _end_of_quotes(text: str, start: int, quote: str) -> int:
    at = start
    while at < len(text):
        if text[at] == quote:
            return at
        at += 2 if quote == '"' and text[at] == "\\" else 1
    raise InputError("quotes of the command do not close", value=text[start : start + 200])
