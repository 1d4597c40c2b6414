"""The packages of the extra ``report``, which pages and figures are made with."""

from __future__ import annotations

from importlib.util import find_spec

from xpot_core.errors import InputError

_PACKAGES = {"matplotlib": "matplotlib", "jinja2": "jinja2", "sklearn": "scikit-learn"}


def require_report() -> None:
    """Say what to install where one of them is missing."""
    missing = [name for module, name in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise InputError(f"reports need {', '.join(missing)}", remedy="pip install xpot-core[report]")
