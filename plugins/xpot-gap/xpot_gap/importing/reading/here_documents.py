"""Files that a script writes itself: here-documents."""

from __future__ import annotations

import re

_DOCUMENT = re.compile(
    r"^(?P<before>[^\n#]*?)<<-?[ \t]*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)(?P<after>[^\n]*)\n"
    r"(?P<text>.*?)^[ \t]*(?P=end)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_TARGET = re.compile(r"(?:>>?|\btee\b(?:\s+-a)?)\s*(['\"]?)([^\s'\"|;&>]+)\1")


def here_documents(text: str) -> tuple[str, dict[str, str]]:
    """A script without its here-documents, and name of a file -> what is written to it.

    Variables in them stay as they are; a document that goes to a program has the program's line as its name.
    """
    found: dict[str, str] = {}
    for match in _DOCUMENT.finditer(text):
        line = f"{match['before']}{match['after']}"
        target = _TARGET.search(line)
        name = target[2] if target else line.strip()
        found[name] = (found.get(name, "") if ">>" in line else "") + match["text"]
    return _DOCUMENT.sub("", text), found
