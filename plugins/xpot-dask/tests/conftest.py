"""Small data, and the helper module importable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from xpot_core.testing.frames import frames, write_frames

# With pytest's import mode "importlib" a tests folder is not on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_frames(tmp_path / "train.xyz", frames()[:6])
    return tmp_path
