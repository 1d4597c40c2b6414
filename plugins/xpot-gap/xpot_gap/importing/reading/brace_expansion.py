"""Braces with commas outside of quotes, of which the shell makes several words."""

from __future__ import annotations

import re

_HIDDEN = str.maketrans("{,}", "\ue000\ue001\ue002")
_SHOWN = str.maketrans("\ue000\ue001\ue002", "{,}")
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")


def hidden(text: str) -> str:
    """A text in quotes, or of a variable: its braces are no choice."""
    return text.translate(_HIDDEN)


def shown(word: str) -> str:
    """A word as it is handed over."""
    return word.translate(_SHOWN)


def expanded(word: str) -> list[str]:
    """The words that the shell makes of one."""
    match = _CHOICE.search(word)
    if match is None:
        return [shown(word)]
    parts = (word[: match.start()] + choice + word[match.end() :] for choice in match[1].split(","))
    return [one for part in parts for one in expanded(part)]
