"""Pieces of study files that many tests run, and how they run them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import xpot_core.testing
from xpot_core.family import Family, FamilyResults
from xpot_core.optimize.stopping import RunOutcome
from xpot_core.report.progress import SilentObserver
from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study

Make = Callable[..., Path]
"""Of the fixture ``study``: writes a study file with some keys replaced."""
FAULTY = Path(xpot_core.testing.__file__).with_name("faulty.py")
SEARCH_PLUGIN = str(Path(__file__).with_name("search_plugin.py"))
ALPHA = "loss.energy-force.alpha"
CUTOFF = "fitter.numpy-pair.cutoff"
WEIGHTS = {
    "cutoff": {"min": 4.0, "max": 6.5},
    "energy_weight": {"tune": True, "per": "group"},
    "force_weight": {"tune": True, "per": "group"},
}


def toy(**options: Any) -> dict[str, Any]:
    """The toy fitter with everything fixed but `options`."""
    return {"fitter": {"numpy-pair": {"cutoff": 5.0, "widths": [0.5, 0.8], "n_basis": 4, **options}}}


def modes(*names: str, **fixed: Any) -> dict[str, Any]:
    """The fitter that fails on demand, in these ways."""
    choices = {"choices": list(names)} if len(names) > 1 else names[0]
    return {"fitter": {"faulty": {"mode": choices, "level": {"choices": [1.0, 2.0]}, **fixed}}}


class Listener(SilentObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.told: list[tuple[int | None, str]] = []

    def progress(self, number: int | None, text: str) -> None:
        self.told.append((number, text))

    def message(self, text: str) -> None:
        self.texts.append(text)


def run(path: Path, *overrides: str, **options: Any) -> tuple[RunOutcome, StudyResults]:
    """Run a study file."""
    study = Study(read_study(path, overrides))
    outcome = study.run(**options)
    return outcome, StudyResults.open(study.directory)


def run_family(path: Path, repeat: int | None = None, **options: Any) -> tuple[Any, FamilyResults]:
    """Run a family of studies."""
    family = Family(read_study(path), repeat=repeat)
    return family.run(**options), family.results()
