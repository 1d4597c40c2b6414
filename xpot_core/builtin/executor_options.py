"""Options of the built-in executors."""

from __future__ import annotations

from xpot_core.options.bounds import WORKERS
from xpot_core.options.declare import OptionsModel, option


class SerialOptions(OptionsModel):
    """Options of ``serial``."""

    threads: int = option(1, "Threads or processes that one fit may use.", ge=1, le=WORKERS)


class LocalOptions(OptionsModel):
    """Options of ``local``."""

    workers: int = option(2, "Trials that run at once, each in a process of its own.", ge=1, le=WORKERS)
    threads: int = option(1, "Threads or processes that one fit may use.", ge=1, le=WORKERS)
