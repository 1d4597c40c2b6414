"""How the conformance kit tests the executor: a cluster on this machine."""

from __future__ import annotations

from typing import Any

CONTRACT: dict[str, Any] = {"options": {"workers": 2}}
