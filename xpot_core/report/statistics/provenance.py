"""Where a result comes from and how to use it: citations, fingerprints, files that run it."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from pathlib import Path
from typing import Any

from xpot_core.results.read import StudyResults

_logger = logging.getLogger("xpot.report")
_MOST_TEXT = 20_000
_TEXT_SUFFIXES = {".in", ".lmp", ".py", ".mod", ".md", ".txt", ".inc", ".lammps", ".sh", ""}


def citations(results: StudyResults) -> dict[str, str]:
    """Kind and name of each provider in use -> what to cite for it.

    Plugins that are not installed here are left out: their declarations cannot be read.
    """
    from xpot_core.errors import XpotError
    from xpot_core.plugins.interfaces.provider import Kind
    from xpot_core.plugins.registry import load_registry

    file = results.study_file
    config = file.config
    try:
        registry = load_registry()  # plugin files are not run to look at a study
    except XpotError:
        return {}
    used: list[tuple[Kind, str]] = [
        (k, config.name_of(k)) for k in ("fitter", "loss", "optimizer", "executor")
    ]
    # A study may have gone on with another optimizer: each trial knows the one that proposed it.
    used += [("optimizer", name) for name in sorted({t.optimizer for t in results.trials if t.optimizer})]
    used += [("validator", next(iter(block))) for block in config.validate_with]
    found = {}
    for kind, name in used:
        if name in registry.names(kind):
            citation = registry.provider(kind, name).citation
            if citation:
                found[f"{kind} {name}"] = citation
    return found


def identity(results: StudyResults) -> dict[str, Any]:
    """What the store knows about the data: their content hash."""
    from xpot_core.store.store import STORE_NAME, Store

    with contextlib.closing(Store(results.directory / STORE_NAME, readonly=True)) as store:
        return store.get("identity") or {}


def is_running(results: StudyResults) -> bool:
    """Whether a process runs the study at this moment."""
    from xpot_core.store.store import STORE_NAME, Store

    with contextlib.closing(Store(results.directory / STORE_NAME, readonly=True)) as store:
        return store.owner() is not None


def usage(results: StudyResults) -> dict[str, str]:
    """Files that show how to run the potential, as the fitter's export writes them: name -> text.

    Nothing is returned for a study that names plugin files, which a report does not run, and where the plugin or
    the data are not here any more: `xpot export` says why.
    """
    potential = results.potential()
    best = results.best
    if potential is None or best is None or results.final is None:
        return {}
    if results.study_file.config.plugins:  # to look at a study must not run code that it came with
        return {}
    with tempfile.TemporaryDirectory(prefix="xpot-report-") as folder:
        try:
            return _exported(results, Path(folder))
        except Exception:
            _logger.debug("the export tool could not be run for the report", exc_info=True)
            return {}


def _exported(results: StudyResults, folder: Path) -> dict[str, str]:
    import shutil
    from dataclasses import replace

    from xpot_core.deliver.export import added_files
    from xpot_core.trial.runner import TrialRunner
    from xpot_core.types.fitting import ExportRequest

    potential = results.potential()
    assert potential is not None
    assert results.final is not None
    runner = TrialRunner.of_results(results)
    for name in potential.files.values():
        shutil.copyfile(potential.directory / name, folder / name)
    trial = results.trial(results.final["trial"])
    request = ExportRequest(
        replace(potential, directory=folder), folder, runner.options(trial.values), runner.dataset.data
    )
    found = {}
    for name in added_files(runner, request):
        path = folder / name
        if name in potential.files.values() or path.suffix not in _TEXT_SUFFIXES or not path.is_file():
            continue
        with contextlib.suppress(UnicodeDecodeError):
            text = path.read_text(encoding="utf-8")
            if len(text) <= _MOST_TEXT:
                found[name] = text
    return found
