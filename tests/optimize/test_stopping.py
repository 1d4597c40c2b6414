"""Target and patience."""

from __future__ import annotations

import numpy as np
from study_cases import Make, run

from xpot_core.optimize.stopping import RunOutcome


def test_target_and_patience_end_the_search(study: Make) -> None:
    outcome, results = run(study({"budget": {"trials": 30, "target": 1e3}}))
    assert outcome == RunOutcome(f"trial 0 reached the target: loss {results.trials[0].loss:.6g}", True)
    assert len(results.trials) == 1
    assert results.final is not None
    outcome, results = run(study({"study": "idle", "budget": {"trials": 60, "patience": 3}}))
    assert outcome.complete
    assert outcome.reason == "3 trials in a row brought no progress"
    losses = [t.loss for t in results.trials if t.loss is not None]
    assert min(losses[:-3]) == min(losses)
    assert min(losses[:-4], default=np.inf) > losses[-4]


def test_objectives_patience_waits_for_the_front(study: Make) -> None:
    outcome, results = run(
        study(
            {
                "budget": {"trials": 60, "patience": 4},
                "objectives": ["energy", "force"],
                "optimizer": "random",
            }
        )
    )
    assert outcome.reason == "4 trials in a row brought no progress"
    front = {t.number for t in results.pareto}
    assert not front & {t.number for t in results.trials[-4:]}
