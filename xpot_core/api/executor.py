"""For executors: tasks, results and the executor of worker processes."""

from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.common import __all__ as _common
from xpot_core.builtin.executors.local import LocalExecutor
from xpot_core.builtin.executors.options import LocalOptions
from xpot_core.plugins.interfaces import Executor, ExecutorContext, ExecutorOptions, ExecutorProvider
from xpot_core.types.fitting import Limits
from xpot_core.types.trials import Failure, Trial, TrialResult, TrialState, TrialTask

__all__ = [
    "Executor",
    "ExecutorContext",
    "ExecutorOptions",
    "ExecutorProvider",
    "Failure",
    "Limits",
    "LocalExecutor",
    "LocalOptions",
    "Trial",
    "TrialResult",
    "TrialState",
    "TrialTask",
    *_common,
]
