"""torch and mace, imported where they are needed, with an error that says what to install."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

from xpot_core.api import FitError
from xpot_mace.potential.installed import REMEDY

# e3nn and mace load files of their own that torch would refuse
_ALLOW = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def package(name: str) -> Any:
    """Import a module of torch or mace.

    Raises
    ------
    FitError
        If it cannot be imported.
    """
    os.environ.setdefault(_ALLOW, "1")
    try:
        # mace prints what it does not find
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as error:
        raise FitError(f"the Python package {name} cannot be imported: {error}", remedy=REMEDY) from error


@contextmanager
def settings(dtype: Any, threads: int) -> Iterator[None]:
    """Have torch use a type and a number of threads, and put its own back afterwards."""
    torch = package("torch")
    before = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(dtype)
    torch.set_num_threads(max(1, threads))
    try:
        yield
    finally:
        torch.set_default_dtype(before[0])
        torch.set_num_threads(before[1])
