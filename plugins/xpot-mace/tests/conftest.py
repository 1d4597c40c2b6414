"""Keeps the tests away from the user's cache, their helper module importable, and skips where mace is absent."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# with pytest's import mode "importlib" a tests folder is not on the path by itself
sys.path.insert(0, str(Path(__file__).parent))

_WITHOUT = ("test_proposal.py", "test_run_train.py", "test_structures.py")
"""These need neither torch nor mace."""
_MISSING = [name for name in ("torch", "mace") if find_spec(name) is None]


def pytest_collection_modifyitems(items):
    """Skip what trains."""
    if not _MISSING:
        return
    skip = pytest.mark.skip(reason=f"{' and '.join(_MISSING)} not installed; `make test-mace` installs them")
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.name not in _WITHOUT:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Never read or fill the user's cache."""
    monkeypatch.setenv("XPOT_CACHE", str(tmp_path_factory.mktemp("cache")))
