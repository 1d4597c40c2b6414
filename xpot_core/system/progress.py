"""How far something long is, told in short lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Tell = Callable[[str], None]
"""Called with one short line about how far a long step is and how long it will take."""
T = TypeVar("T")
_FIRST, _BETWEEN = 1.0, 0.5
"""Seconds before the first line, and between two."""
_FEW = 50
"""Items that are never worth a word."""


def untold(text: str) -> None:
    """Take a line that nobody reads."""


_listener: ContextVar[Tell] = ContextVar("xpot_listener", default=untold)


@contextmanager
def heard_by(tell: Tell) -> Iterator[None]:
    """Let what happens inside tell how far it is, however deep it is called."""
    token = _listener.set(tell)
    try:
        yield
    finally:
        _listener.reset(token)


def listener() -> Tell:
    """Who hears how far the present work is; nobody, unless a command waits for it."""
    return _listener.get()


def told(
    items: Iterable[T],
    tell: Tell,
    what: str,
    total: int | None = None,
    size: Callable[[T], int] = lambda item: 1,
) -> Iterator[T]:
    """The items one by one; after a second of it, how many are done and how long the rest will take.

    Parameters
    ----------
    items
        What is worked through.
    tell
        Who hears it.
    what
        What is done and to what, e.g. ``reading train.xyz: structure``.
    total
        How many items there are, where that is known.
    size
        For how many an item counts.
    """
    if total is not None and total < _FEW:
        yield from items
        return
    begin = time.monotonic()
    following, done = begin + _FIRST, 0
    for item in items:
        if (now := time.monotonic()) >= following:
            following = now + _BETWEEN
            tell(f"{what} {done}{_rest(done, total, now - begin)}")
        yield item
        done += size(item)


def _rest(done: int, total: int | None, spent: float) -> str:
    if total is None:
        return ""
    left = f", about {spent / done * (total - done):.0f} s left" if done else ""
    return f" of {total}{left}"
