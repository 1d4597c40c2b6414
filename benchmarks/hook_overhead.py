"""What a call through a verb hook costs, beside a direct call: microseconds.

Run: python benchmarks/hook_overhead.py
"""

from __future__ import annotations

import timeit
from typing import Any

from xpot_core.plugins.registry import load_registry
from xpot_core.types.error_sums import ErrorTable
from xpot_core.types.fitting import DesignErrors

CALLS = 20_000


class FreeDesign:
    """A design whose regressions cost nothing."""

    answer = DesignErrors(ErrorTable(), ErrorTable())

    def errors(self, options: Any, *, leave_out: int | None = None) -> DesignErrors:
        return self.answer


def main() -> None:
    hook, design = load_registry().hook, FreeDesign()
    direct = min(timeit.repeat(lambda: design.errors(None, leave_out=0), number=CALLS, repeat=5))
    hooked = min(
        timeit.repeat(
            lambda: hook.xpot_regress(design=design, options=None, leave_out=0), number=CALLS, repeat=5
        )
    )
    print(f"xpot_regress: {1e6 * (hooked - direct) / CALLS:.1f} microseconds a call")


if __name__ == "__main__":
    main()
