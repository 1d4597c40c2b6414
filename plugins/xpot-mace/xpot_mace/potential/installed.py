"""Whether torch and mace are there, without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from xpot_core.api import FitError

REMEDY = "pip install 'xpot-mace[mace]', with a torch for your machine: see https://pytorch.org"


def require() -> None:
    """Refuse a fit without torch or mace.

    Raises
    ------
    FitError
        If one of them is not installed.
    """
    for name in ("torch", "mace"):
        try:
            there = find_spec(name) is not None
        except ValueError:  # something took its place
            there = False
        if not there:
            raise FitError(f"the Python package {name} is not installed", remedy=REMEDY)
