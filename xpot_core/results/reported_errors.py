"""Errors that other programs reported, beside those of a potential: kept in its folder, a file for each set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from xpot_core.errors import XpotError
from xpot_core.plugins.registry import Registry
from xpot_core.study_file.read import StudyFile
from xpot_core.types.importing import ReportedErrors, ReportRequest

SETS = ("train", "validation", "test")


def write_reported(
    study: StudyFile, registry: Registry, request: ReportRequest, directory: Path
) -> list[ReportedErrors]:
    """Compare one set with every file that the study names under ``reference``, and keep it.

    Parameters
    ----------
    request
        Its `file` is filled in here.
    directory
        Where the potential lies.
    """
    found = []
    for reference in study.config.reference:
        if reference.file is None:
            continue
        path = study.resolve(reference.file)
        try:
            answer = registry.hook.xpot_reported_errors(request=replace(request, file=path))
        except (XpotError, OSError) as error:  # a table must not cost the fit
            answer = ReportedErrors("", (), unknown=str(error))
        if answer is None:
            answer = ReportedErrors("", (), unknown=f"no plugin here knows what {path} says")
        if answer.rows or answer.unknown:
            found.append(replace(answer, label=reference.label))
    if found:
        text = json.dumps([one.to_json() for one in found], indent=1)
        _path(directory, request.set).write_text(text + "\n", encoding="utf-8")
    return found


def read_reported(directory: Path) -> Iterator[tuple[str, ReportedErrors]]:
    """Set and errors, of all that lie beside a potential."""
    for name in SETS:
        path = _path(directory, name)
        if path.is_file():
            for data in json.loads(path.read_text(encoding="utf-8")):
                yield name, ReportedErrors.from_json(data)


def _path(directory: Path, name: str) -> Path:
    return directory / f"reported-{name}.json"
