"""What a careful colleague would check before a study runs for hours."""

from xpot_core.setup.doctor.examine import examine
from xpot_core.setup.doctor.findings import Findings

__all__ = ["Findings", "examine"]
