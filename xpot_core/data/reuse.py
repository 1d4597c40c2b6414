"""What the studies of one process share while they run one after the other.

Inside ``with sharing():`` data that were read and designs that were prepared are kept from study to study
(a family on the same data reads them once); outside of it, and in other threads, nothing is kept.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
_active: ContextVar[dict[str, OrderedDict[str, Any]] | None] = ContextVar("xpot_sharing", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """Let the studies made inside share; everything is released at the end."""
    token = _active.set({})
    try:
        yield
    finally:
        _active.reset(token)


def get_or_make(kind: str, key: Any, make: Callable[[], T], *, most: int = 1) -> T:
    """What an earlier study made under this key, else a new one.

    Parameters
    ----------
    kind
        What it is, e.g. ``data``.
    key
        Plain data that tell one from another.
    make
        Makes it.
    most
        How many of the kind are kept: the last ones used.
    """
    active = _active.get()
    if active is None:
        return make()
    found, name = active.setdefault(kind, OrderedDict()), json.dumps(key, sort_keys=True, default=str)
    if name not in found:
        while len(found) >= most:
            found.popitem(last=False)
        found[name] = make()
    found.move_to_end(name)
    result: T = found[name]
    return result
