"""For importers of other programs' inputs."""

from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.common import __all__ as _common
from xpot_core.plugins.interfaces import Importer, ImporterProvider
from xpot_core.types.importing import ImportedStudy

__all__ = [
    "ImportedStudy",
    "Importer",
    "ImporterProvider",
    *_common,
]
