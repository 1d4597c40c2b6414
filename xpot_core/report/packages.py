"""The packages of the extras ``report`` and ``live``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from xpot_core.errors import InputError

_REPORT = {"matplotlib": "matplotlib", "jinja2": "jinja2", "sklearn": "scikit-learn"}
_LIVE = {"starlette": "starlette", "uvicorn": "uvicorn", "plotly": "plotly"}


def require_report() -> None:
    """Say what to install where one that pages and figures are made with is missing."""
    _require("reports need", "report", _REPORT)


def require_live() -> None:
    """The same for the live page, which holds what a report does."""
    _require("the live page needs", "live", {**_REPORT, **_LIVE})


def _require(who: str, extra: str, packages: Mapping[str, str]) -> None:
    missing = [name for module, name in packages.items() if find_spec(module) is None]
    if missing:
        raise InputError(f"{who} {', '.join(missing)}", remedy=f"pip install xpot-core[{extra}]")
