"""Study files made of other programs' inputs, by the importers of plugins."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel

from xpot_core.errors import InputError
from xpot_core.plugins.interfaces import ImporterProvider
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.study_file.template import comment_lines
from xpot_core.types.importing import ImportedStudy

_WIDTH = 100


def import_study(registry: Registry, source: str, tool: str | None = None, *, lossy: bool = False) -> str:
    """Text of a study file made of another program's input.

    Parameters
    ----------
    registry
        The plugins.
    source
        A file, or a text such as a command line.
    tool
        Name of the importer; None asks every importer whether it recognises the source.
    lossy
        Whether a study is made where some of the source has no counterpart.

    Raises
    ------
    InputError
        If no importer has the name or recognises the source, or it holds what a study cannot express: without
        `lossy` also what changes the result and has no counterpart.
    """
    found = imported_by(tool if tool is not None else _recognised(registry, source), source, registry)
    if found.lost and not lossy:
        raise InputError(
            f"cannot be carried over: {' '.join(found.lost)}",
            key="--from",
            remedy="change it in the source, or give --lossy for a study without it",
        )
    notes = [*found.notes, *(f"Lost: {text}" for text in found.lost)]
    header = "".join(f"# {line}\n" for note in notes for line in comment_lines(note, _WIDTH - 2))
    body: dict[str, Any] = dict(found.study)
    return header + yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def imported_by(tool: str, source: str, registry: Registry | None = None) -> ImportedStudy:
    """What an importer makes of a source; an importer whose inputs hold those of another program calls it, too.

    Parameters
    ----------
    tool
        Name of the importer.
    source
        A file, or a text such as a command line.
    registry
        The plugins; by default all that are installed.
    """
    registry = registry or load_registry()
    importer = registry.create("importer", tool.replace("_", "-"))
    found: ImportedStudy = registry.hook.xpot_import(importer=importer, source=source)
    return found


def fitter_options() -> dict[str, type[BaseModel]]:
    """Options of every fitter that is installed, those that a study would choose first."""
    registry = load_registry()
    names = dict.fromkeys([*registry.preferred("fitter"), *registry.names("fitter")])
    return {name: registry.provider("fitter", name).options for name in names}


def _recognised(registry: Registry, source: str) -> str:
    names = registry.names("importer")
    found = []
    for name in names:
        recognises = registry.get(ImporterProvider, name).tool("recognises")
        if recognises is not None and recognises(source):
            found.append(name)
    if len(found) == 1:
        return found[0]
    known = ", ".join(names) or "none is installed"
    raise InputError(
        f"is recognised by {' and '.join(found)}" if found else "no importer recognises it",
        key="--from",
        value=source,
        remedy=f"name the program: xpot init --from TOOL SOURCE; importers: {known}",
    )
