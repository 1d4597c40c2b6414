"""Options of the built-in executors."""

from __future__ import annotations

from xpot_core.options.bounds import WORKERS
from xpot_core.options.declare import option
from xpot_core.plugins.interfaces import ExecutorOptions


class SerialOptions(ExecutorOptions):
    """Options of ``serial``."""

    @property
    def trials_here(self) -> int:
        """See `ExecutorOptions`."""
        return 1


class LocalOptions(ExecutorOptions):
    """Options of ``local``."""

    workers: int = option(2, "Trials that run at once, each in a process of its own.", ge=1, le=WORKERS)
    gpus: int = option(
        0,
        "GPUs of this machine for the trials: each worker has one of its own, so no more trials run at once than there "
        "are GPUs. With 0 nothing is said of GPUs, and all trials see all of them.",
        ge=0,
        le=WORKERS,
    )
    ordered: bool = option(
        False,
        "Tell results of as many trials as there are workers together, in order: the study is then the same on every "
        "run, and workers wait for the slowest of them.",
    )

    @property
    def trials_here(self) -> int:
        """See `ExecutorOptions`."""
        return min(self.workers, self.gpus) if self.gpus else self.workers
