"""The last step of a study: the best trial refitted, tested once, put into ``best/``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from xpot_core.errors import XpotError
from xpot_core.outcome import failed_result
from xpot_core.pipeline import TrialRunner
from xpot_core.store import Store
from xpot_core.trials import Trial
from xpot_core.types import FittedPotential, ValidationRequest


class Listener(Protocol):
    """Whoever is told what happens."""

    def message(self, text: str) -> None:
        """Something the user should read."""


def refit_winner(
    runner: TrialRunner, store: Store, best: Trial, directory: Path, listener: Listener | None = None
) -> None:
    """Refit the best trial on all training frames, evaluate every set, run the validators.

    Nothing is done where the store holds the result already, so the test set is touched once per
    winner. The folder ``best`` is replaced only when the new potential is complete.

    Raises
    ------
    XpotError
        If the refit fails; the trials stay as they are.
    """
    known, target, fresh = store.get("final"), directory / "best", directory / "best.new"
    if known and known["trial"] == best.number and target.is_dir():
        return
    if listener:
        listener.message(f"refitting trial {best.number} on all training frames")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        model = runner.finish(best.values, fresh, seed=runner.study.config.seed)
    except Exception as error:
        failure = failed_result(best.number, error, "final", f"fitter {runner.fitter.name}", fresh).failure
        assert failure is not None
        raise XpotError(
            f"the refit of the best trial failed: {failure.message}", remedy=failure.hint or f"see {fresh}"
        ) from error
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    potential = {**model.potential.to_json(), "directory": str(target)}
    store.set(
        "final",
        {
            "trial": best.number,
            "potential": potential,
            "errors": {name: table.to_json() for name, table in model.errors.items()},
            "seconds": dict(model.seconds),
            "validators": _validate(runner, FittedPotential.from_json(potential), target),
        },
    )


def _validate(runner: TrialRunner, potential: FittedPotential, target: Path) -> list[dict[str, Any]]:
    """Run the study's validators; one that breaks is reported like one that fails."""
    reports: list[dict[str, Any]] = []
    config, data = runner.study.config, runner.dataset.data
    for i, block in enumerate(config.validate_with):
        name, options = next(iter(block.items()))
        folder = target / f"validator-{i}-{name}"
        folder.mkdir()
        request = ValidationRequest(folder, data.training().frames, data.elements, config.seed)
        try:
            component = runner.registry.create("validator", name, options)
            report = runner.registry.hook.xpot_validate(
                validator=component, potential=potential, request=request
            )
            row = {"passed": report.passed, "summary": report.summary, "values": dict(report.values)}
            row["tables"] = {
                t: {c: list(v) for c, v in columns.items()} for t, columns in report.tables.items()
            }
        except Exception as error:
            row = {"passed": None, "summary": f"{type(error).__name__}: {error}", "values": {}, "tables": {}}
        reports.append({"validator": name, **row})
    return reports
