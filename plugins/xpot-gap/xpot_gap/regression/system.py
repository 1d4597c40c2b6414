"""The linear systems of a design: made natively, or by gap_fit and kept in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from xpot_core.api import FitRequest, Frame
from xpot_gap.gap_fit import by_gap_fit
from xpot_gap.gap_fit.keys import run_key
from xpot_gap.gap_fit.plan import Plan
from xpot_gap.linear_system.stored import Stored
from xpot_gap.native import build as native
from xpot_gap.native.columns import KeptColumns


def stored_systems(
    plan: Plan, request: FitRequest, training: Sequence[Frame], held: Sequence[Frame], kept: KeptColumns
) -> tuple[Stored, Stored | None]:
    """The systems of the training frames and, at their sparse points, of those that are only evaluated."""
    if plan.options.engine == "native":
        return native.build(plan, request, training, held, kept)

    def by_program(frames: Sequence[Frame], parent: Stored | None) -> Stored:
        key = run_key(plan, frames, parent.text if parent else None, "system")
        build = partial(by_gap_fit.build, plan, request, frames, parent)
        return kept.cache.fetch(key, build, Stored.to_entry, Stored.from_entry)

    trained = by_program(training, None)
    return trained, by_program(held, trained) if held else None
