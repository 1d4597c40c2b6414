"""Keeps the tests away from the user's cache, and their helper module importable."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from xpot_core.api import Frame

# With pytest's import mode "importlib" a tests folder is not on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kernels go to a folder of the test, never to the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XPOT_CACHE", str(folder))
    return folder


@pytest.fixture
def single_atom() -> Frame:
    """An isolated copper atom."""
    atoms = Atoms("Cu", positions=[[10, 10, 10]], cell=[20, 20, 20], pbc=True)
    return Frame(atoms, 0.25, np.zeros((1, 3)), None, "isolated_atom", "made.xyz#iso", "iso")
