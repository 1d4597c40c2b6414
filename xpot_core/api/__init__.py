"""The only import a plugin author needs: all names here, those for one kind of plugin in a module each."""

import importlib
from typing import TYPE_CHECKING, Any

from xpot_core.api.quick import *  # noqa: F403

if TYPE_CHECKING:
    from xpot_core.api.common import *  # noqa: F403
    from xpot_core.api.executor import *  # noqa: F403
    from xpot_core.api.fitter import *  # noqa: F403
    from xpot_core.api.importer import *  # noqa: F403
    from xpot_core.api.optimizer import *  # noqa: F403
    from xpot_core.api.validator import *  # noqa: F403
    from xpot_core.results.read import StudyResults as StudyResults
    from xpot_core.setup.importing import fitter_options as fitter_options
    from xpot_core.setup.importing import imported_by as imported_by

_ON_DEMAND = {
    "StudyResults": "xpot_core.results.read",
    "fitter_options": "xpot_core.setup.importing",
    "imported_by": "xpot_core.setup.importing",
}
"""Reading studies back and calling other plugins need YAML and the store, which the hooks of a plugin do not."""

_KINDS = ("common", "fitter", "optimizer", "executor", "validator", "importer")


def __getattr__(name: str) -> Any:
    """What is not quick takes a quarter of a second to load, which worker processes need not wait for."""
    if name in _ON_DEMAND:
        return getattr(importlib.import_module(_ON_DEMAND[name]), name)
    if name not in ("__all__", *_KINDS) and not name.startswith("_"):
        for kind in _KINDS:
            module = importlib.import_module(f"{__name__}.{kind}")
            if name in module.__all__:
                return getattr(module, name)
    if name == "__all__":
        modules = [importlib.import_module(f"{__name__}.{kind}") for kind in _KINDS]
        return sorted({*_ON_DEMAND, *(n for module in modules for n in module.__all__)})
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
