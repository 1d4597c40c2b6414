"""For importers of other programs' inputs."""

from xpot_core.api.common import *  # noqa: F403
from xpot_core.api.common import __all__ as _common
from xpot_core.plugins.interfaces import Importer, ImporterProvider
from xpot_core.types.importing import (
    EVERY_GROUP,
    Findings,
    ImportedStudy,
    ReportedErrors,
    ReportedRow,
    ReportRequest,
)

__all__ = [
    "EVERY_GROUP",
    "Findings",
    "ImportedStudy",
    "Importer",
    "ImporterProvider",
    "ReportRequest",
    "ReportedErrors",
    "ReportedRow",
    *_common,
]
