"""Validators run on any trial of a finished study, and what they said kept with the study."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xpot_core.deliver.export import potential_of
from xpot_core.errors import InputError
from xpot_core.results.read import StudyResults
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.trial.panel import PANEL
from xpot_core.trial.run_validators import check_validators, run_validators
from xpot_core.trial.runner import TrialRunner
from xpot_core.types.trials import TrialState
from xpot_core.types.validating import ValidatorRow


def run_tests(
    results: StudyResults,
    which: str | int,
    blocks: Sequence[Mapping[str, Any]] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> list[ValidatorRow]:
    """Run validators on the potential of one trial.

    The results are kept in the study: those of the winner appear in its report. Files of the tests lie in
    ``tests/<trial>/`` of the run folder.

    Parameters
    ----------
    results
        The study.
    which
        Trial number, or ``best``. Any trial but the winner is refitted for it.
    blocks
        ``{name: options}`` of each validator; by default those of the study file, else the panel.
    tell
        Is told what begins.

    Returns
    -------
    list of ValidatorRow
        One for each validator.

    Raises
    ------
    InputError
        If an option is wrong or the trial has no potential.
    StudyLockedError
        If the study is running.
    """
    config = results.study_file.config
    # Paths that a user types start from where the user is.
    base = None if blocks else results.study_file.base
    blocks = blocks or [*config.constraints, *config.validate_with] or [{PANEL: {}}]
    trial = results.trial(which)
    if trial.state not in (TrialState.COMPLETE, TrialState.INFEASIBLE):
        raise InputError(
            f"trial {trial.number} is {trial.state}: it has no potential", key="--trial", value=which
        )
    runner = TrialRunner.of_results(results)
    training = runner.dataset.data.training()
    check_validators(runner.registry, blocks, "--with", data=training, base=base)
    with contextlib.closing(Store(results.directory / STORE_NAME, make=False)) as store:
        store.acquire()
        try:
            folder = results.directory / "tests" / f"{trial.number:06d}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            potential = potential_of(results, trial, runner, folder)
            check_validators(runner.registry, blocks, "--with", potential.format)
            rows = run_validators(
                runner.registry,
                blocks,
                potential,
                training,
                folder,
                seed=config.seed,
                threads=runner.threads,
                base=base,
                tell=lambda name: tell(f"testing trial {trial.number} by {name}"),
            )
            _keep(store, trial.number, rows)
        finally:
            store.release()
    return rows


def _keep(store: Store, number: int, found: Sequence[ValidatorRow]) -> None:
    """Newer results of a test take the place of older ones."""
    final, rows = store.get("final"), [row.to_json() for row in found]
    if final and final["trial"] == number:
        names = {row["validator"] for row in rows}
        final["validators"] = [r for r in final.get("validators", []) if r["validator"] not in names] + rows
        store.set("final", final)
        return
    kept = store.get("tests") or {}
    store.set("tests", {**kept, str(number): rows})
