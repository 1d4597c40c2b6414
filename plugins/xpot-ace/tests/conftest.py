"""Keeps the tests away from the user's cache, and their helper module importable."""

import sys
from pathlib import Path

import pytest

# with pytest's import mode "importlib" a tests folder is not on the path by itself
sys.path.insert(0, str(Path(__file__).parent))

collect_ignore_glob = []
try:
    import pyace  # noqa: F401
except ImportError:
    collect_ignore_glob.append("test_*.py")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Never read or fill the user's cache."""
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path_factory.mktemp("cache")))
