"""The only import a plugin author needs: all names here, those for one kind of plugin in a module each."""

from typing import TYPE_CHECKING, Any

from xpot_core.api import common, executor, fitter, importer, optimizer, validator
from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.executor import *  # noqa: F403
from xpot_core.api.fitter import *  # noqa: F403
from xpot_core.api.importer import *  # noqa: F403
from xpot_core.api.optimizer import *  # noqa: F403
from xpot_core.api.validator import *  # noqa: F403

if TYPE_CHECKING:
    from xpot_core.results.read import StudyResults as StudyResults

__all__ = sorted(
    {
        "StudyResults",
        *common.__all__,
        *fitter.__all__,
        *optimizer.__all__,
        *executor.__all__,
        *validator.__all__,
        *importer.__all__,
    }
)


def __getattr__(name: str) -> Any:
    """Reading studies back needs YAML and the store, which the hooks of a plugin do not: made on demand."""
    if name == "StudyResults":
        from xpot_core.results.read import StudyResults

        return StudyResults
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
