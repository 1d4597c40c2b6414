"""New plugin packages: files with the author's names filled in, complete and passing the kit.

The templates are ordinary files, one folder a kind besides ``common``; ``@name@`` and the like stand for
what is filled in, in their text and in their paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from xpot_core import __version__
from xpot_core.errors import InputError
from xpot_core.plugins.interfaces.provider import KINDS, Kind
from xpot_core.plugins.registry import Registry
from xpot_core.plugins.registry.catalogue import PUBLISHED

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX = ".tmpl"
_PLACEHOLDER = re.compile("@(name|distribution|module|Class|core|needs|kind|Article)@")

STYLES: dict[str, Kind] = {**{kind: kind for kind in KINDS}, "linear-fitter": "fitter"}
"""What a new plugin may be -> the kind of its provider; templates have the names of the former."""
_NEEDS = {"linear-fitter": "xpot-linear"}
"""Library of ours that a template is built on."""


def checked_name(name: str, kind: Kind, registry: Registry) -> str:
    """The provider's name, without the ``xpot-`` of its distribution.

    Raises
    ------
    InputError
        If it cannot be a name, or is taken.
    """
    short = name.removeprefix("xpot-")
    if not _NAME.fullmatch(short) or len(short) > 40:
        raise InputError(
            f"'{name}' cannot be the name of a plugin",
            remedy="small letters and digits, parts joined by hyphens, a letter first: my-potential",
        )
    distributions = {d for names in PUBLISHED.values() for d in names.values()} | {"xpot-core"}
    owner = registry.owner(kind, short)
    taken = {record.plugin for record in registry.records}
    if owner is not None:
        raise InputError(
            f"{kind} '{short}' exists already in plugin '{owner.plugin}'", remedy="choose another name"
        )
    if short in taken or f"xpot-{short}" in distributions or short in PUBLISHED.get(kind, {}):
        raise InputError(f"the name '{short}' is taken by a published plugin", remedy="choose another name")
    return short


def write_skeleton(name: str, style: str, folder: Path) -> list[Path]:
    """Write a plugin package.

    Parameters
    ----------
    name
        Of the provider, checked by `checked_name`.
    style
        One of `STYLES`.
    folder
        Made here; must not exist.

    Returns
    -------
    list
        The files, relative to `folder`.
    """
    if folder.exists():
        raise InputError(
            "exists already", file=folder, remedy="name another folder with --to, or move this one away"
        )
    written = []
    values = _values(name, style)
    for path, text in _templates(style):
        target = Path(_fill(path, values))
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_text(_fill(text, values), encoding="utf-8")
        written.append(target)
    return sorted(written)


def _values(name: str, style: str) -> dict[str, str]:
    major, minor = __version__.split(".")[:2]
    kind, versions = STYLES[style], f">={major}.{minor},<{major}.{int(minor) + 1}"
    return {
        "name": name,
        "distribution": f"xpot-{name}",
        "module": f"xpot_{name.replace('-', '_')}",
        "Class": "".join(part.capitalize() for part in name.split("-")),
        "core": f"xpot-core{versions}",
        "needs": f'"{_NEEDS[style]}{versions}", ' if style in _NEEDS else "",
        "kind": kind,
        "Article": "An" if kind[0] in "eo" else "A",
    }


def _fill(text: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _templates(style: str) -> Iterator[tuple[str, str]]:
    assert style in STYLES
    root = files(__name__) / "templates"
    for part in ("common", style):
        yield from _walk(root / part, "")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield prefix + entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")
