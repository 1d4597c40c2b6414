"""How large an input may be: beyond these it is a mistake, or meant to make xpot hang.

Everything within them is read and checked in seconds.
"""

from __future__ import annotations

STUDY_BYTES = 400_000
"""Of a study file."""
VALUES = 20_000
"""Values in a study file, each alias (``*name``) counted as what it stands for."""
DEPTH = 40
"""Blocks inside of blocks."""
NUMBER_LENGTH = 60
"""Characters of a whole number."""
LARGEST_INTEGER = 2**63 - 1
"""What SQLite and NumPy hold."""
TRIALS = 1_000_000
"""Of one study."""
WORKERS = 4_096
"""Of one executor, and threads of a fit."""
MEMBERS = 1_000
"""Studies of one family: combinations of the matrix times seeds."""
REPEATS = 20
"""Assignments of frames to folds that the best trials are judged by."""
HYPERPARAMETERS = 1_000
"""Of one search; an optimizer may declare fewer."""
