"""python-ace, imported without what it does to the program around it."""

from __future__ import annotations

import functools
import logging
from importlib.metadata import version
from typing import Any

from xpot_core.api import FitError


@functools.cache
def pyace() -> Any:
    """The package; its import configures the root logger, which is put back as it was.

    Raises
    ------
    FitError
        If it cannot be imported.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        import pyace as package
        from pyace import multispecies_basisextension  # noqa: F401 - an attribute of the package from now on
    except ImportError as error:
        raise FitError(
            f"the Python package pyace cannot be imported: {error}",
            remedy="pip install 'python-ace>=0.4.0rc1'",
        ) from error
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("pyace"):
            # its modules report each step of making a basis
            logging.getLogger(name).setLevel(logging.WARNING)
    return package


def pyace_version() -> str:
    """Version of python-ace."""
    return version("python-ace")
