"""Keeps the tests away from the user's cache."""

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Never read or fill the user's cache."""
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path_factory.mktemp("cache")))
