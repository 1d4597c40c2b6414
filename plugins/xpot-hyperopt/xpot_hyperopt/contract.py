"""How the conformance kit tests the optimizers: studies of twenty trials."""

from __future__ import annotations

from typing import Any

TPE: dict[str, Any] = {"options": {"initial": 6}}
RANDOM: dict[str, Any] = {"learns": False}
