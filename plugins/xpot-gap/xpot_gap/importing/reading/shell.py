"""The command of gap_fit in what a shell reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xpot_core.api import Findings, InputError
from xpot_gap.importing.reading.brace_expansion import expanded, hidden, shown
from xpot_gap.importing.reading.here_documents import here_documents
from xpot_gap.importing.reading.names import ALIASES, KNOWN

_NAMES_DATA = re.compile(r"(at_file|atoms_filename|config_file|gap)=", re.IGNORECASE)
_ARGUMENTS = {name.lower() for name in (*KNOWN, *ALIASES, "config_file")}
_PROGRAM = re.compile(r"(^|/)gap_fit[^/=]*$")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")
_ARRAY = re.compile(r"""^\s*(\w+)(\+?)=\(((?:[^()'"]|'[^']*'|"[^"]*")*)\)""", re.MULTILINE)
_OF_ARRAY = re.compile(r"""(["']?)\$\{(\w+)\[[@*]\]\}\1""")
_ENDS = ";&|>"


@dataclass(frozen=True)
class Command:
    """A gap_fit command of a text.

    Attributes
    ----------
    arguments
        What gap_fit gets.
    files
        Name of a file -> what the script writes to it.
    """

    arguments: list[str]
    files: Mapping[str, str]


def first_command(text: str, findings: Findings, *, script: bool) -> Command:
    """The first gap_fit command of a text.

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
    text, documents = here_documents(text) if script else (text, {})
    found = _found(text, variables, script)
    if not found:  # or a document is the script
        found = [words for document in documents.values() for words in _found(document, variables, script)]
    if not found:
        raise InputError("the command has no at_file= or no gap=", remedy="quote the whole gap_fit command")
    if len(found) > 1:
        findings.note(f"There are {len(found)} gap_fit commands: the first one is taken, the others are not.")
    files = {name: _put_in(document, variables) for name, document in documents.items()}
    return Command(_arguments(found[0], findings), files)


def _found(text: str, variables: dict[str, str], script: bool) -> list[list[str]]:
    """The words of each gap_fit command; what is assigned before goes to `variables`."""
    found: list[list[str]] = []
    said: list[list[str]] = []
    goes_on = False
    for words in _commands(_without_arrays(text) if script else text, variables, script):
        named = words[1:] if words[0] == "export" else words
        assigns = all(_ASSIGNMENT.match(word) for word in named)
        # documentation breaks lines without a sign for it
        goes_on = goes_on and _key(words[0]) in _ARGUMENTS
        if goes_on:
            found[-1] += words
        elif any(_NAMES_DATA.match(word) for word in words) and not (script and assigns):
            (said if words[0] in ("echo", "printf") else found).append(words)
            begun = {_key(word) for word in words}
            goes_on = script and not begun & {"gap", "config_file"}
        elif assigns:
            variables |= {key: shown(value) for key, _, value in (word.partition("=") for word in named)}
    return found or said


def _key(word: str) -> str:
    return word.partition("=")[0].lower()


def _without_arrays(text: str) -> str:
    """Arrays of the shell, put in where they are named."""
    arrays: dict[str, str] = {}
    for name, more, words in _ARRAY.findall(text):
        lines = " ".join(re.sub(r"(^|\s)#.*", "", line) for line in words.splitlines())
        arrays[name] = f"{arrays.get(name, '') if more else ''} {lines}"
    return _OF_ARRAY.sub(lambda m: arrays.get(m[2], m[0]), _ARRAY.sub("", text))


def _arguments(words: list[str], findings: Findings) -> list[str]:
    """What follows the program's name, or begins with the name of an argument."""
    programs = [i for i, word in enumerate(words) if _PROGRAM.search(word)]
    named = (i for i, word in enumerate(words) if _key(word) in _ARGUMENTS)
    first = programs[-1] + 1 if programs else next(named)
    arguments: list[str] = []
    for word in words[first:]:
        if match := re.search(r"\$\{?\w+\}?|\$\(|`", shown(word)):
            raise InputError(
                f"'{match[0]}' is put in by the shell",
                value=shown(word)[:200],
                remedy="write its value instead",
            )
        several = expanded(word)
        if len(several) > 1:
            findings.note(
                f"Without quotes the shell makes {len(several)} arguments of {word}, of which gap_fit takes "
                f"{several[-1]}."
            )
        arguments += several
    return arguments


def _put_in(text: str, variables: Mapping[str, str]) -> str:
    """Variables by their values, as far as they are known."""
    return _VARIABLE.sub(lambda m: variables.get(m[1] or m[2], m[0] if m[3] is None else m[3]), text)


def _commands(text: str, variables: Mapping[str, str], script: bool) -> Iterator[list[str]]:
    """The commands of a text as words, without quotes, comments and redirections.

    Inside braces neither a line break nor another sign ends a command: documentation shows commands so.
    """
    text = text.replace("\\\n", " ")
    words: list[str] = []
    word, inside, depth, at, skip = "", False, 0, 0, False

    while at < len(text):
        character = text[at]
        at += 1
        ends = depth == 0 and (character in _ENDS or (script and character == "\n"))
        if character == "#" and not inside and (script or "\n" in text[at:]):
            at = at + len(text[at:].split("\n", 1)[0])
        elif character in "'\"":
            end = _end_of_quotes(text, at, character)
            part = text[at:end]
            if character == '"':
                part = _put_in(re.sub(r'\\(["\\$`])', r"\1", part), variables)
            word += hidden(part)
            inside, at = True, end + 1
        elif character == "\\" and at < len(text):
            word, inside, at = word + text[at], True, at + 1
        elif character == "$" and (match := _VARIABLE.match(text, at - 1)):
            # without quotes, blanks in a value part words
            first, *rest = re.split(r"\s+", hidden(_put_in(match[0], variables)))
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
        elif character in "{}" and not inside and (not words or words[-1].endswith("()")):
            continue  # of a function, or a group of commands
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
