"""Keeps the helper module importable: with pytest's import mode "importlib" a tests folder is not on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
