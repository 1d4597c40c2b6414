"""The only import a plugin author needs: all names here, those for one kind of plugin in a module each."""

import importlib
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
    from xpot_core.setup.importing import fitter_options as fitter_options
    from xpot_core.setup.importing import imported_by as imported_by

_ON_DEMAND = {
    "StudyResults": "xpot_core.results.read",
    "fitter_options": "xpot_core.setup.importing",
    "imported_by": "xpot_core.setup.importing",
}
"""Reading studies back and calling other plugins need YAML and the store, which the hooks of a plugin do not."""

__all__ = sorted(
    {
        *_ON_DEMAND,
        *common.__all__,
        *fitter.__all__,
        *optimizer.__all__,
        *executor.__all__,
        *validator.__all__,
        *importer.__all__,
    }
)


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return getattr(importlib.import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
