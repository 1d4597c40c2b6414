"""Keeps the tests away from the user's cache; makes their helpers and the example of the documentation importable."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "docs" / "examples" / "xpot-pair")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Never read or fill the user's cache."""
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path_factory.mktemp("cache")))
